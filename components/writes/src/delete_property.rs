//! `DELETE /api/properties/{id}`.

use super::precondition::{Target, demanded, refusal, versions};
use http::StatusCode;
use shared::cache::Resource;
use shared::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, query, write};
use shared::statement::Statement;
use std::collections::HashSet;

/// The payments that the property has now: their entries are fenced with its own.
const PAYMENTS: &str = "SELECT id FROM payments WHERE tenant_id = $1 AND property_id = $2";

const ROW: &str = "FROM properties v WHERE v.tenant_id = tenant AND v.id = $2";
const OUTCOME: &str = "r.found_version, r.is_deleted, r.payment_ids";

/// Removes a property and its payments.
pub async fn delete(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let precondition = demanded(call, tenant, Target::Property(id), None).await?;
    let rows = query(&call.config, Statement::select(tenant, PAYMENTS).bind([Parameter::uuid(id)])).await?;
    let payments =
        rows.iter().map(|row| RowReader::new(row).parsed(PaymentId::parse)).collect::<Result<HashSet<_>, _>>()?;
    let mut resources = vec![Resource::Property(id), Resource::PropertyList, Resource::PaymentList(id)];
    resources.extend(payments.iter().copied().map(Resource::Payment));
    let statement = |write_id: &str| {
        let (argument, versions) = versions(&precondition, 4, ROW);
        // See `infra/migrations/0006_delete_property.sql` for why this is a function.
        Statement::call(tenant, &format!("delete_property(tenant, $2, $3, {argument}) AS r"), OUTCOME).bind([
            Parameter::uuid(id),
            Parameter::uuid(write_id),
            versions,
        ])
    };
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("delete_property answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let is_deleted = row.boolean()?;
        // Those that were added since the list was made.
        let also = row
            .texts()?
            .iter()
            .filter_map(|id| PaymentId::parse(id))
            .filter(|payment| !payments.contains(payment))
            .map(Resource::Payment)
            .collect();
        let result = match found {
            None => Err(Error::NotFound),
            Some(_) if is_deleted => Ok(()),
            Some(version) => Err(refusal(&precondition, version)),
        };
        Ok(Written { result, changed: is_deleted, also })
    });
    outcome.await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
