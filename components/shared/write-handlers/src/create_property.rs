//! `POST /api/properties`.

use super::precondition::on_list;
use http::{StatusCode, header};
use platform::http::Call;
use platform::postgres::idempotency::remove_expired_keys;
use platform::time::new_id;
use platform::write::{Written, write};
use rental::domain::{Property, PropertyDraft, PropertyId, TenantId};
use rental::error::Error;
use rental::http::{Answer, Claim, Idempotency};
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};

const CREATE: &str = "create_property(tenant, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::timestamptz,
        $12::text::timestamptz, $13, $14, $15, $16) AS r
    LEFT JOIN LATERAL (SELECT (r.made).*) AS p ON true";

/// Adds a property.
pub async fn create(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let body = call.body().await?;
    on_list(call)?;
    let draft = PropertyDraft::parse(&body)?;
    let idempotency = Idempotency::of(&call.parts, &body)?;
    let id = new_id(PropertyId::new)?;
    let statement = |outbox_row| {
        Statement::call(tenant, CREATE, &format!("r.is_free, r.known_request, {}", Property::COLUMNS))
            .bind([Parameter::uuid(id)])
            .bind(outbox_row)
            .bind(members(&draft))
            .bind(Idempotency::parameters(idempotency.as_ref()))
    };
    let outcome = write(&call.instance, tenant, &[Resource::PropertyList], statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("create_property answers no row".into()))?;
        let mut row = RowReader::new(row);
        let result = match Claim::from_row(&mut row, idempotency.as_ref())? {
            Claim::First | Claim::Again => Ok(Property::from_row(&mut row)?),
            Claim::Refused(error) => Err(error),
        };
        Ok(Written { changed: result.is_ok(), result, also: Vec::new() })
    });
    let property = outcome.await??;
    if idempotency.is_some() {
        remove_expired_keys(&call.instance);
    }
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&property)?)
        .with_etag(property.row_version())
        .with(header::LOCATION, &format!("/api/properties/{}", property.id())))
}

/// The writable members, in the order in which the statements on a property number them from `$5`.
pub fn members(draft: &PropertyDraft) -> [Parameter; 10] {
    [
        Parameter::text(&draft.address),
        Parameter::optional_text(draft.suburb.as_ref()),
        Parameter::optional_text(draft.state.as_ref()),
        Parameter::optional_text(draft.post_code.as_ref()),
        Parameter::optional_text(draft.description.as_ref()),
        Parameter::optional_decimal(draft.weekly_rent_amount),
        Parameter::optional_text(draft.lease_start_date),
        Parameter::optional_text(draft.lease_end_date),
        Parameter::optional_text(draft.property_manager.as_ref()),
        Parameter::optional_text(draft.property_manager_contact.as_ref()),
    ]
}
