//! `PUT /api/properties/{propertyId}/payments/{paymentId}`.

use super::create_payment::{members, unknown_method};
use super::precondition::{Target, before, demanded, refusal, versions};
use http::StatusCode;
use platform::http::Call;
use platform::write::{Written, write};
use rental::domain::{PaymentDraft, PaymentId, PropertyId, RowVersion, TenantId};
use rental::error::Error;
use rental::http::Answer;
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};

const ROW: &str = "FROM payments v WHERE v.tenant_id = tenant AND v.property_id = $2 AND v.id = $3";
const OUTCOME: &str = "r.found_version, r.has_method, r.new_version";

/// Replaces the writable members of a payment.
pub async fn replace(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let target = Target::Payment(property, id);
    let draft = match PaymentDraft::parse(&call.body().await?) {
        Ok(draft) => draft,
        Err(violations) => return Err(before(call, tenant, target, violations).await),
    };
    let precondition = demanded(call, tenant, target, draft.row_version).await?;
    let statement = |outbox_row| {
        let (argument, versions) = versions(&precondition, 12, ROW);
        let replace = format!(
            "replace_payment(tenant, $2, $3, $4, $5, $6, $7, $8, $9::text::timestamptz, $10, $11, {argument}) AS r"
        );
        Statement::call(tenant, &replace, OUTCOME)
            .bind([Parameter::uuid(property), Parameter::uuid(id)])
            .bind(outbox_row)
            .bind(members(&draft))
            .bind([versions])
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.instance, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("replace_payment answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let has_method = row.boolean()?;
        let replaced = row.optional_from_integer(RowVersion::new)?;
        let result = match (found, replaced) {
            (None, _) => Err(Error::NotFound),
            // What the headers demand comes before what is wrong with the body, and that before its version.
            (Some(found), None) if !has_method && precondition.headers_hold(found) => {
                Err(unknown_method(&draft.method))
            }
            (Some(found), None) => Err(refusal(&precondition, found)),
            (Some(_), Some(version)) => Ok(version),
        };
        Ok(Written { changed: result.is_ok(), result, also: Vec::new() })
    });
    let version = outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT).with_etag(version))
}
