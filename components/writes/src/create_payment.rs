//! `POST /api/properties/{propertyId}/payments`.

use super::precondition::{Target, unless_missing};
use http::{StatusCode, header};
use shared::cache::Resource;
use shared::domain::{MethodChoice, Payment, PaymentDraft, PaymentId, PaymentMethod, PropertyId, TenantId, Violations};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, new_id, write};

/// The method that a payment names by its id (`$5`) or its name (`$6`): one of the tenant's own, or of the system's.
pub const METHOD: &str = "SELECT m.* FROM payment_methods m
    WHERE m.tenant_id IN ('~system', $1) AND (m.id = $5::uuid OR fold(m.name) = fold($6::text))
    ORDER BY m.tenant_id = $1 DESC, m.id LIMIT 1";

/// Records a payment.
pub async fn create(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let draft = match PaymentDraft::parse(&call.body().await?) {
        Ok(draft) => draft,
        Err(violations) => return Err(unless_missing(call, tenant, Target::Property(property), violations).await),
    };
    let id = new_id(PaymentId::new)?;
    let statement = |write_id: &str| {
        let mut parameters =
            vec![Parameter::text(tenant), Parameter::uuid(property), Parameter::uuid(id), Parameter::uuid(write_id)];
        parameters.extend(members(&draft));
        (sql(), parameters)
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("an insert answers no row".into()))?;
        let mut row = RowReader::new(row);
        let (has_property, has_method) = (row.boolean()?, row.boolean()?);
        let result = match (has_property, has_method) {
            (false, _) => Err(Error::NotFound),
            (true, false) => Err(unknown_method(&draft.method)),
            (true, true) => Ok(Payment::from_row(&mut row)?),
        };
        Ok(Written { changed: result.is_ok(), result, also: Vec::new() })
    });
    let payment = outcome.await??;
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&payment)?)
        .with_etag(payment.row_version())
        .with(header::LOCATION, &format!("/api/properties/{property}/payments/{id}")))
}

/// The property is locked against deletion, so that it is either there until the payment is, or not there at all.
fn sql() -> String {
    format!(
        "WITH property AS (
            SELECT id FROM properties WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE
        ), method AS (
            {METHOD}
        ), created AS (
            INSERT INTO payments (tenant_id, id, property_id, payment_method_tenant_id, payment_method_id, amount,
                payment_date, payment_reference, notes)
            SELECT $1, $3, property.id, method.tenant_id, method.id, $7, $8::text::timestamptz, $9, $10
            FROM property, method
            RETURNING *
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources)
            SELECT $1, $4, ARRAY['payment:' || id, 'property:' || property_id || ':payments:list'] FROM created
        )
        SELECT EXISTS (SELECT FROM property), EXISTS (SELECT FROM method), {}, {}
        FROM (SELECT) AS one LEFT JOIN (created y CROSS JOIN method m) ON true",
        Payment::COLUMNS,
        PaymentMethod::COLUMNS
    )
}

/// The writable members, in the order in which the statements on a payment number them from `$5`.
pub fn members(draft: &PaymentDraft) -> [Parameter; 6] {
    let (id, name) = match &draft.method {
        MethodChoice::Id(id) => (Parameter::uuid(id), Parameter::Null),
        MethodChoice::Name(name) => (Parameter::Null, Parameter::text(name)),
    };
    [
        id,
        name,
        Parameter::optional_decimal(Some(draft.amount)),
        Parameter::text(draft.payment_date),
        Parameter::optional_text(draft.payment_reference.as_ref()),
        Parameter::optional_text(draft.notes.as_ref()),
    ]
}

/// The complaint about a method that neither the tenant nor the system has.
pub fn unknown_method(method: &MethodChoice) -> Error {
    Violations::one(method.member(), "is not one of the payment methods").into()
}
