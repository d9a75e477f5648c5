//! `POST /api/properties`.

use super::idempotency::{claim, kept, known};
use http::{StatusCode, header};
use shared::cache::Resource;
use shared::domain::{Property, PropertyDraft, PropertyId, TenantId};
use shared::error::Error;
use shared::http::{Answer, Claim, Idempotency};
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, new_id, remove_expired_keys, write};
use shared::statement::Statement;

/// The number of the parameter that is the idempotency key.
const KEY: usize = 14;

/// Adds a property.
pub async fn create(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let body = call.body().await?;
    let draft = PropertyDraft::parse(&body)?;
    let idempotency = Idempotency::of(&call.parts, &body)?;
    let id = new_id(PropertyId::new)?;
    let statement = |write_id: &str| {
        let outcome = format!(
            "SELECT claim.is_free, claim.known_request, {} FROM claim LEFT JOIN answered p ON true",
            Property::COLUMNS
        );
        Statement::with(tenant, &changes(), &outcome)
            .bind([Parameter::uuid(id), Parameter::uuid(write_id)])
            .bind(members(&draft))
            .bind(Idempotency::parameters(idempotency.as_ref()))
    };
    let outcome = write(&call.config, tenant, &[Resource::PropertyList], statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("an insert answers no row".into()))?;
        let mut row = RowReader::new(row);
        let result = match Claim::from_row(&mut row, idempotency.as_ref())? {
            Claim::First | Claim::Again => Ok(Property::from_row(&mut row)?),
            Claim::Refused(error) => Err(error),
        };
        Ok(Written { changed: result.is_ok(), result, also: Vec::new() })
    });
    let property = outcome.await??;
    if idempotency.is_some() {
        remove_expired_keys(&call.config);
    }
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&property)?)
        .with_etag(property.row_version())
        .with(header::LOCATION, &format!("/api/properties/{}", property.id())))
}

/// A request that was answered before is a write of the same keys once more: its first writer may have died before it
/// could invalidate them.
fn changes() -> String {
    let (claim, kept) =
        (claim(KEY), kept(KEY, "jsonb_build_object('property', to_jsonb(created) - 'search_text')", "created"));
    let known = known(KEY, "properties", "property");
    format!(
        "{claim}, created AS (
            INSERT INTO properties (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount,
                lease_start_date, lease_end_date, property_manager, property_manager_contact)
            SELECT $1, $2, $4, $5, $6, $7, $8, $9, $10::text::timestamptz, $11::text::timestamptz, $12, $13
            FROM claim WHERE claim.is_free
            RETURNING *
        ), {kept}, answered AS (
            SELECT * FROM created UNION ALL {known}
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources) SELECT $1, $3, ARRAY['property:list'] FROM answered
        )"
    )
}

/// The writable members, in the order in which the statements on a property number them from `$4`.
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
