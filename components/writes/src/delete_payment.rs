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

/// The row is locked first, so that the version that is checked is the one that is deleted.
const DELETE: &str = "target AS (
        SELECT row_version FROM payments WHERE tenant_id = $1 AND property_id = $2 AND id = $3 FOR UPDATE
    ), gone AS (
        DELETE FROM payments y USING target
        WHERE y.tenant_id = $1 AND y.id = $3 AND ($5::bigint[] IS NULL OR target.row_version = ANY ($5))
        RETURNING y.id, y.property_id
    ), outbox AS (
        INSERT INTO cache_invalidations (tenant_id, id, resources)
        SELECT $1, $4, ARRAY['payment:' || id, 'property:' || property_id || ':payments:list'] FROM gone
    )";
const OUTCOME: &str = "SELECT target.row_version, EXISTS (SELECT FROM gone) FROM target";

/// Removes a payment.
pub async fn delete(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let precondition = demanded(call, tenant, Target::Payment(property, id), None).await?;
    let statement = |write_id: &str| {
        let versions = precondition.versions().map_or(Parameter::Null, Parameter::Integers);
        let parameters = [Parameter::uuid(property), Parameter::uuid(id), Parameter::uuid(write_id), versions];
        Statement::with(tenant, DELETE, OUTCOME).bind(parameters)
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let Some(row) = rows.first() else {
            return Ok(Written { result: Err(Error::NotFound), changed: false, also: Vec::new() });
        };
        let mut row = RowReader::new(row);
        let found = row.from_integer(RowVersion::new)?;
        let is_deleted = row.boolean()?;
        let result = if is_deleted { Ok(()) } else { Err(precondition.refusal(found)) };
        Ok(Written { result, changed: is_deleted, also: Vec::new() })
    });
    outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
