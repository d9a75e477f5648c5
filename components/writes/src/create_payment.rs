//! `POST /api/properties/{propertyId}/payments`.

use super::idempotency::{claim, kept, known};
use super::precondition::{Target, unless_missing};
use http::{StatusCode, header};
use shared::cache::Resource;
use shared::domain::{MethodChoice, Payment, PaymentDraft, PaymentId, PaymentMethod, PropertyId, TenantId, Violations};
use shared::error::Error;
use shared::http::{Answer, Claim, Idempotency};
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, new_id, remove_expired_keys, write};
use shared::statement::Statement;

/// The method that a payment names by its id (`$5`) or its name (`$6`): one of the tenant's own, or of the system's.
pub const METHOD: &str = "SELECT m.* FROM payment_methods m
    WHERE m.tenant_id IN ('~system', $1) AND (m.id = $5::uuid OR fold(m.name) = fold($6::text))
    ORDER BY m.tenant_id = $1 DESC, m.id LIMIT 1";

/// The number of the parameter that is the idempotency key.
const KEY: usize = 11;

/// Records a payment.
pub async fn create(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let body = call.body().await?;
    let parsed = PaymentDraft::parse(&body).and_then(|draft| Ok((draft, Idempotency::of(&call.parts, &body)?)));
    let (draft, idempotency) = match parsed {
        Ok(parsed) => parsed,
        Err(violations) => return Err(unless_missing(call, tenant, Target::Property(property), violations).await),
    };
    let id = new_id(PaymentId::new)?;
    let statement = |write_id: &str| {
        Statement::with(tenant, &changes(), &outcome())
            .bind([Parameter::uuid(property), Parameter::uuid(id), Parameter::uuid(write_id)])
            .bind(members(&draft))
            .bind(Idempotency::parameters(idempotency.as_ref()))
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("an insert answers no row".into()))?;
        let mut row = RowReader::new(row);
        let claim = Claim::from_row(&mut row, idempotency.as_ref())?;
        let (has_property, has_method) = (row.boolean()?, row.boolean()?);
        let result = match (claim, has_property, has_method) {
            (Claim::Refused(error), _, _) => Err(error),
            (Claim::First, false, _) => Err(Error::NotFound),
            (Claim::First, true, false) => Err(unknown_method(&draft.method)),
            (Claim::First, true, true) | (Claim::Again, _, _) => Ok(Payment::from_row(&mut row)?),
        };
        // One that was recorded before has another id than this request made up.
        let recorded = result.as_ref().ok().map(Payment::id);
        let also = recorded.filter(|recorded| *recorded != id).map(Resource::Payment);
        Ok(Written { changed: result.is_ok(), result, also: also.into_iter().collect() })
    });
    let payment = outcome.await??;
    if idempotency.is_some() {
        remove_expired_keys(&call.config);
    }
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&payment)?)
        .with_etag(payment.row_version())
        .with(header::LOCATION, &format!("/api/properties/{property}/payments/{}", payment.id())))
}

/// The property is locked against deletion, so that it is either there until the payment is, or not there at all; and not
/// before the key is claimed, so that a second request with the same key does not wait behind the first.
///
/// A request that was answered before is a write of the same keys once more: its first writer may have died before it
/// could invalidate them.
fn changes() -> String {
    let (claim, kept) = (
        claim(KEY),
        kept(KEY, "jsonb_build_object('payment', to_jsonb(created), 'method', to_jsonb(method))", "created, method"),
    );
    let (known, known_method) = (known(KEY, "payments", "payment"), known(KEY, "payment_methods", "method"));
    format!(
        "{claim}, property AS (
            SELECT p.id FROM properties p, claim
            WHERE claim.is_free AND p.tenant_id = $1 AND p.id = $2 FOR KEY SHARE OF p
        ), method AS (
            {METHOD}
        ), created AS (
            INSERT INTO payments (tenant_id, id, property_id, payment_method_tenant_id, payment_method_id, amount,
                payment_date, payment_reference, notes)
            SELECT $1, $3, property.id, method.tenant_id, method.id, $7, $8::text::timestamptz, $9, $10
            FROM property, method
            RETURNING *
        ), {kept}, answered AS (
            SELECT * FROM created UNION ALL {known}
        ), answered_method AS (
            SELECT method.* FROM created, method UNION ALL {known_method}
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources)
            SELECT $1, $4, ARRAY['payment:' || id, 'property:' || property_id || ':payments:list'] FROM answered
        )"
    )
}

fn outcome() -> String {
    format!(
        "SELECT claim.is_free, claim.known_request, EXISTS (SELECT FROM property), EXISTS (SELECT FROM method), {}, {}
        FROM claim LEFT JOIN (answered y CROSS JOIN answered_method m) ON true",
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
