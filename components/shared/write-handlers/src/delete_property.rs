//! `DELETE /api/properties/{id}`.

use super::precondition::{Target, demanded, refusal, versions};
use http::StatusCode;
use platform::http::Call;
use platform::postgres::query;
use platform::write::{Written, write};
use rental::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use rental::error::Error;
use rental::http::{Answer, Precondition};
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};
use std::collections::HashSet;

/// The payments that the property has now: their entries are fenced with its own.
const PAYMENTS: &str = "SELECT id FROM payments WHERE tenant_id = $1 AND property_id = $2";

const ROW: &str = "FROM properties v WHERE v.tenant_id = tenant AND v.id = $2";
const OUTCOME: &str = "r.found_version, r.is_deleted, r.unknown_payments";

/// How often it is tried while payments are being added.
const ATTEMPTS: u32 = 5;

/// Removes a property and its payments.
pub async fn delete(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let precondition = demanded(call, tenant, Target::Property(id), None).await?;
    let rows = query(&call.instance, Statement::select(tenant, PAYMENTS).bind([Parameter::uuid(id)])).await?;
    let mut payments =
        rows.iter().map(|row| RowReader::new(row).parsed(PaymentId::parse)).collect::<Result<HashSet<_>, _>>()?;
    for _ in 0..ATTEMPTS {
        let unknown = attempt(call, tenant, id, &precondition, &payments).await?;
        if unknown.is_empty() {
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
        payments.extend(unknown);
    }
    Err(Error::Unavailable("payments are being added to a property faster than it can be deleted".into()))
}

/// Removes it if these are its payments; those that it has besides.
async fn attempt(
    call: &Call,
    tenant: &TenantId,
    id: PropertyId,
    precondition: &Precondition,
    payments: &HashSet<PaymentId>,
) -> Result<Vec<PaymentId>, Error> {
    let mut resources = vec![Resource::Property(id), Resource::PropertyList, Resource::PaymentList(id)];
    resources.extend(payments.iter().copied().map(Resource::Payment));
    let statement = |outbox_row| {
        let (argument, versions) = versions(precondition, 5, ROW);
        // See `infra/migrations/0006_delete_property.sql` for why this is a function. It removes nothing as long as there is a
        // payment that it was not told of: that one has no fence.
        let call = format!("delete_property(tenant, $2, $3, $4, {argument}, $6) AS r");
        let known = Parameter::Texts(payments.iter().map(ToString::to_string).collect());
        Statement::call(tenant, &call, OUTCOME).bind([Parameter::uuid(id)]).bind(outbox_row).bind([versions, known])
    };
    let outcome = write(&call.instance, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("delete_property answers no row".into()))?;
        let mut row = RowReader::new(row);
        let found = row.optional_from_integer(RowVersion::new)?;
        let is_deleted = row.boolean()?;
        let unknown: Vec<PaymentId> = row.texts()?.iter().filter_map(|id| PaymentId::parse(id)).collect();
        let result = match found {
            None => Err(Error::NotFound),
            Some(_) if is_deleted || !unknown.is_empty() => Ok(unknown),
            Some(version) => Err(refusal(precondition, version)),
        };
        Ok(Written { result, changed: is_deleted, also: Vec::new() })
    });
    outcome.await?
}
