//! `POST /api/properties`.

use http::{StatusCode, header};
use shared::cache::Resource;
use shared::domain::{Property, PropertyDraft, PropertyId, TenantId};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, new_id, write};

/// Adds a property.
pub async fn create(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let draft = PropertyDraft::parse(&call.body().await?)?;
    let id = new_id(PropertyId::new)?;
    let statement = |write_id: &str| {
        let mut parameters = vec![Parameter::text(tenant), Parameter::uuid(id), Parameter::uuid(write_id)];
        parameters.extend(members(&draft));
        (sql(), parameters)
    };
    let property = write(&call.config, tenant, &[Resource::PropertyList], statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("an insert answers no row".into()))?;
        Ok(Written { result: Property::from_row(&mut RowReader::new(row))?, changed: true, also: Vec::new() })
    })
    .await?;
    Ok(Answer::json(StatusCode::CREATED, serde_json::to_vec(&property)?)
        .with_etag(property.row_version())
        .with(header::LOCATION, &format!("/api/properties/{id}")))
}

fn sql() -> String {
    format!(
        "WITH created AS (
            INSERT INTO properties (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount,
                lease_start_date, lease_end_date, property_manager, property_manager_contact)
            VALUES ($1, $2, $4, $5, $6, $7, $8, $9, $10::text::timestamptz, $11::text::timestamptz, $12, $13)
            RETURNING *
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, $3, ARRAY['property:list'])
        )
        SELECT {} FROM created p",
        Property::COLUMNS
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
