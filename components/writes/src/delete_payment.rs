//! `DELETE /api/properties/{propertyId}/payments/{paymentId}`.

use super::precondition::{Target, demanded};
use http::StatusCode;
use shared::cache::Resource;
use shared::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, write};
use shared::statement::Statement;

const DELETE: &str = "delete_payment(tenant, $2, $3, $4, $5) AS r";
const OUTCOME: &str = "r.found_version, r.is_deleted";

/// Removes a payment.
pub async fn delete(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let precondition = demanded(call, tenant, Target::Payment(property, id), None).await?;
    let statement = |write_id: &str| {
        let versions = precondition.versions().map_or(Parameter::Null, Parameter::Integers);
        let parameters = [Parameter::uuid(property), Parameter::uuid(id), Parameter::uuid(write_id), versions];
        Statement::call(tenant, DELETE, OUTCOME).bind(parameters)
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("delete_payment answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let is_deleted = row.boolean()?;
        let result = match found {
            Some(_) if is_deleted => Ok(()),
            Some(found) => Err(precondition.refusal(found)),
            None => Err(Error::NotFound),
        };
        Ok(Written { result, changed: is_deleted, also: Vec::new() })
    });
    outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
