//! `POST /api/properties/{propertyId}/payments`.

use super::precondition::{Target, before, on_list};
use http::{StatusCode, header};
use platform::http::Call;
use platform::postgres::idempotency::remove_expired_keys;
use platform::time::new_id;
use platform::write::{Written, write};
use rental::domain::{MethodChoice, Payment, PaymentDraft, PaymentId, PaymentMethod, PropertyId, TenantId, Violations};
use rental::error::Error;
use rental::http::{Answer, Claim, Idempotency};
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};

const CREATE: &str =
    "create_payment(tenant, $2, $3, $4, $5, $6, $7, $8, $9::text::timestamptz, $10, $11, $12, $13) AS r
    LEFT JOIN LATERAL (SELECT (r.made).*) AS y ON true LEFT JOIN LATERAL (SELECT (r.made_method).*) AS m ON true";

/// Records a payment.
pub async fn create(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let body = call.body().await?;
    let parsed = on_list(call).and_then(|()| {
        let draft = PaymentDraft::parse(&body)?;
        Ok((draft, Idempotency::of(&call.parts, &body)?))
    });
    let (draft, idempotency) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Err(before(call, tenant, Target::Payments(property), error).await),
    };
    let id = new_id(PaymentId::new)?;
    let columns = format!(
        "r.is_free, r.known_request, r.has_property, r.has_method, {}, {}",
        Payment::COLUMNS,
        PaymentMethod::COLUMNS
    );
    let statement = |outbox_row| {
        Statement::call(tenant, CREATE, &columns)
            .bind([Parameter::uuid(property), Parameter::uuid(id)])
            .bind(outbox_row)
            .bind(members(&draft))
            .bind(Idempotency::parameters(idempotency.as_ref()))
    };
    let resources = [Resource::Payment(id), Resource::PaymentList(property)];
    let outcome = write(&call.instance, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("create_payment answers no row".into()))?;
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
        remove_expired_keys(&call.instance);
    }
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&payment)?)
        .with_etag(payment.row_version())
        .with(header::LOCATION, &format!("/api/properties/{property}/payments/{}", payment.id())))
}

/// The writable members, in the order in which the statements on a payment number them from `$6`.
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
