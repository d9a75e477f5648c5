//! `GET /api/properties/{propertyId}/payments/{paymentId}`.

use cache::Entry;
use platform::http::Call;
use platform::read::read;
use rental::domain::{PaymentId, PropertyId, TenantId};
use rental::error::Error;
use rental::http::{Answer, single};
use rental::source::{Source, payment_is_for};

/// Answers with one payment, if it was paid for this property. The entry in the cache knows its property, so a payment
/// that is asked for through another one is not there, cached or not.
pub async fn get(call: &Call, tenant: &TenantId, property: PropertyId, id: PaymentId) -> Result<Answer, Error> {
    let (entry, status) = read(&call.instance, tenant, &Source::Payment(id)).await?;
    let entry = if payment_is_for(&entry, property) { entry } else { Entry::not_there() };
    Ok(single(entry, status, &call.parts))
}
