//! `GET /api/properties/{propertyId}/payments/{paymentId}`.

use shared::cache::Entry;
use shared::domain::{PaymentId, PropertyId, TenantId};
use shared::error::Error;
use shared::http::{Answer, single};
use shared::source::Source;
use shared::spin::{Call, read};

/// Answers with one payment, if it was paid for this property. The entry in the cache knows its property, so a payment
/// that is asked for through another one is not there, cached or not.
pub async fn get(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let (entry, status) = read(&call.config, tenant, &Source::Payment(id)).await?;
    let entry = if entry.owner == Some(property) { entry } else { Entry::not_there() };
    Ok(single(entry, status, &call.parts))
}
