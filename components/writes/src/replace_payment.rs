//! `PUT /api/properties/{propertyId}/payments/{paymentId}`.

use super::create_payment::{METHOD, members, unknown_method};
use super::precondition::{Target, demanded, unless_missing};
use http::StatusCode;
use shared::cache::Resource;
use shared::domain::{PaymentDraft, PaymentId, PropertyId, RowVersion, TenantId};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, write};
use shared::statement::Statement;

/// Replaces the writable members of a payment.
pub async fn replace(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let target = Target::Payment(property, id);
    let draft = match PaymentDraft::parse(&call.body().await?) {
        Ok(draft) => draft,
        Err(violations) => return Err(unless_missing(call, tenant, target, violations).await),
    };
    let precondition = demanded(call, tenant, target, draft.row_version).await?;
    let statement = |write_id: &str| {
        Statement::with(tenant, &changes(), OUTCOME)
            .bind([Parameter::uuid(property), Parameter::uuid(id), Parameter::uuid(write_id)])
            .bind(members(&draft))
            .bind([precondition.versions().map_or(Parameter::Null, Parameter::Integers)])
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("an update answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let has_method = row.boolean()?;
        let replaced = row.optional_from_integer(RowVersion::new)?;
        let result = match (found, replaced) {
            (None, _) => Err(Error::NotFound),
            (Some(_), _) if !has_method => Err(unknown_method(&draft.method)),
            (Some(version), None) => Err(precondition.refusal(version)),
            (Some(_), Some(version)) => Ok(version),
        };
        Ok(Written { changed: result.is_ok(), result, also: Vec::new() })
    });
    let version = outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT).with_etag(version))
}

/// The row is locked first, so that of two writers who demand the same version the second sees the first's.
fn changes() -> String {
    format!(
        "target AS (
            SELECT row_version FROM payments WHERE tenant_id = $1 AND property_id = $2 AND id = $3 FOR UPDATE
        ), method AS (
            {METHOD}
        ), changed AS (
            UPDATE payments y SET payment_method_tenant_id = method.tenant_id, payment_method_id = method.id,
                amount = $7, payment_date = $8::text::timestamptz, payment_reference = $9, notes = $10,
                updated_at = now(), row_version = y.row_version + 1
            FROM target, method
            WHERE y.tenant_id = $1 AND y.id = $3 AND ($11::bigint[] IS NULL OR target.row_version = ANY ($11))
            RETURNING y.*
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources)
            SELECT $1, $4, ARRAY['payment:' || id, 'property:' || property_id || ':payments:list'] FROM changed
        )"
    )
}

const OUTCOME: &str =
    "SELECT (SELECT row_version FROM target), EXISTS (SELECT FROM method), (SELECT row_version FROM changed)";
