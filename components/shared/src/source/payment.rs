//! `GET /api/properties/{propertyId}/payments/{paymentId}`.

use crate::cache::Entry;
use crate::domain::{Payment, PaymentId, PaymentMethod, TenantId};
use crate::error::Error;
use crate::row::{Column, Parameter, RowReader};
use crate::statement::Statement;

pub fn statement(tenant: &TenantId, id: PaymentId) -> Statement {
    let sql = format!(
        "SELECT {}, {} FROM payments y
        JOIN payment_methods m ON m.tenant_id = y.payment_method_tenant_id AND m.id = y.payment_method_id
        WHERE y.tenant_id = $1 AND y.id = $2",
        Payment::COLUMNS,
        PaymentMethod::COLUMNS
    );
    Statement::select(tenant, &sql).bind([Parameter::uuid(id)])
}

/// The entry knows the property that was paid for.
pub fn entry(rows: &[Vec<Column>]) -> Result<Entry, Error> {
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
