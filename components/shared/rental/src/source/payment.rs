//! `GET /api/properties/{propertyId}/payments/{paymentId}`.

use crate::domain::{Payment, PaymentId, PropertyId, TenantId};
use crate::error::Error;
use crate::resource::property_of;
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

pub fn statement(tenant: &TenantId, id: PaymentId) -> Statement {
    Statement::read(tenant, "read_payment(tenant.id, $2)").bind([Parameter::uuid(id)])
}

/// The entry knows the property that was paid for.
pub fn entry(rows: &[Vec<Column>]) -> Result<Entry, Error> {
    let Some(row) = rows.first() else {
        return Ok(Entry::not_there());
    };
    let payment = Payment::from_row(&mut RowReader::new(row))?;
    Ok(Entry {
        version: payment.row_version().in_entry(),
        note: payment.property_id().to_string().into_bytes(),
        ..Entry::of(serde_json::to_vec(&payment)?)
    })
}

/// Whether the payment in this entry was made for `property`.
pub fn is_for(entry: &Entry, property: PropertyId) -> bool {
    property_of(&entry.note) == Some(property)
}
