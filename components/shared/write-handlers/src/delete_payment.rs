//! `DELETE /api/properties/{propertyId}/payments/{paymentId}`.

use super::precondition::{Target, demanded, refusal, versions};
use http::StatusCode;
use platform::http::Call;
use platform::write::{Written, write};
use rental::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use rental::error::Error;
use rental::http::Answer;
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};

const ROW: &str = "FROM payments v WHERE v.tenant_id = tenant AND v.property_id = $2 AND v.id = $3";
const OUTCOME: &str = "r.found_version, r.is_deleted";

/// Removes a payment.
pub async fn delete(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let precondition = demanded(call, tenant, Target::Payment(property, id), None).await?;
    let statement = |outbox_row| {
        let (argument, versions) = versions(&precondition, 6, ROW);
        Statement::call(tenant, &format!("delete_payment(tenant, $2, $3, $4, $5, {argument}) AS r"), OUTCOME)
            .bind([Parameter::uuid(property), Parameter::uuid(id)])
            .bind(outbox_row)
            .bind([versions])
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.instance, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("delete_payment answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let is_deleted = row.boolean()?;
        let result = match found {
            Some(_) if is_deleted => Ok(()),
            Some(found) => Err(refusal(&precondition, found)),
            None => Err(Error::NotFound),
        };
        Ok(Written { result, changed: is_deleted, also: Vec::new() })
    });
    outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
