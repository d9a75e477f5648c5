//! `GET /api/properties/{propertyId}/payments/{paymentId}`.

use shared::cache::{Entry, Resource};
use shared::domain::{Payment, PaymentId, PaymentMethod, PropertyId, TenantId};
use shared::error::Error;
use shared::http::{Answer, single};
use shared::row::{Parameter, RowReader};
use shared::spin::{Cached, Call, query, read_through};
use shared::statement::Statement;

/// Answers with one payment, if it was paid for this property. The entry in the cache knows its property, so a payment
/// that is asked for through another one is not there, cached or not.
pub async fn get(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let wanted = Cached { tenant, resource: Resource::Payment(id), field: "" };
    let (entry, status) = read_through(&call.config, wanted, async || fetch(call, tenant, id).await).await?;
    let entry = if entry.owner == Some(property) { entry } else { Entry::not_there() };
    Ok(single(entry, status, &call.parts))
}

async fn fetch(call: &Call, tenant: &TenantId, id: PaymentId) -> Result<Entry, Error> {
    let sql = format!(
        "SELECT {}, {} FROM payments y
        JOIN payment_methods m ON m.tenant_id = y.payment_method_tenant_id AND m.id = y.payment_method_id
        WHERE y.tenant_id = $1 AND y.id = $2",
        Payment::COLUMNS,
        PaymentMethod::COLUMNS
    );
    let rows = query(&call.config, Statement::select(tenant, &sql).bind([Parameter::uuid(id)])).await?;
    let Some(row) = rows.first() else {
        return Ok(Entry::not_there());
    };
    let payment = Payment::from_row(&mut RowReader::new(row))?;
    Ok(Entry {
        found: true,
        version: Some(payment.row_version()),
        owner: Some(payment.property_id()),
        body: serde_json::to_vec(&payment)?,
    })
}
