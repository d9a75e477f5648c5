//! `PUT /api/properties/{id}`.

use super::create_property::members;
use super::precondition::{Target, demanded, unless_missing};
use http::StatusCode;
use shared::cache::Resource;
use shared::domain::{Property, PropertyDraft, PropertyId, RowVersion, TenantId};
use shared::error::Error;
use shared::http::Answer;
use shared::row::{Parameter, RowReader};
use shared::spin::{Call, Written, write};
use shared::statement::Statement;

/// Replaces the writable members of a property.
pub async fn replace(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let target = Target::Property(id);
    let draft = match PropertyDraft::parse(&call.body().await?) {
        Ok(draft) => draft,
        Err(violations) => return Err(unless_missing(call, tenant, target, violations).await),
    };
    let precondition = demanded(call, tenant, target, draft.row_version).await?;
    let statement = |write_id: &str| {
        let outcome =
            format!("SELECT target.row_version, {} FROM target LEFT JOIN changed p ON true", Property::COLUMNS);
        Statement::with(tenant, CHANGES, &outcome)
            .bind([Parameter::uuid(id), Parameter::uuid(write_id)])
            .bind(members(&draft))
            .bind([precondition.versions().map_or(Parameter::Null, Parameter::Integers)])
    };
    let resources = [Resource::Property(id), Resource::PropertyList];
    let outcome = write(&call.config, tenant, &resources, statement, |rows| {
        let Some(row) = rows.first() else {
            return Ok(Written { result: Err(Error::NotFound), changed: false, also: Vec::new() });
        };
        let mut row = RowReader::new(row);
        let found = row.from_integer(RowVersion::new)?;
        if row.rest_is_null() {
            return Ok(Written { result: Err(precondition.refusal(found)), changed: false, also: Vec::new() });
        }
        Ok(Written { result: Ok(Property::from_row(&mut row)?), changed: true, also: Vec::new() })
    });
    let property = outcome.await??;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&property)?).with_etag(property.row_version()))
}

/// The row is locked first, so that of two writers who demand the same version the second sees the first's.
const CHANGES: &str = "target AS (
            SELECT row_version FROM properties WHERE tenant_id = $1 AND id = $2 FOR UPDATE
        ), changed AS (
            UPDATE properties p SET address = $4, suburb = $5, state = $6, post_code = $7, description = $8,
                weekly_rent_amount = $9, lease_start_date = $10::text::timestamptz,
                lease_end_date = $11::text::timestamptz, property_manager = $12, property_manager_contact = $13,
                updated_at = now(), row_version = p.row_version + 1
            FROM target
            WHERE p.tenant_id = $1 AND p.id = $2 AND ($14::bigint[] IS NULL OR target.row_version = ANY ($14))
            RETURNING p.*
        ), outbox AS (
            INSERT INTO cache_invalidations (tenant_id, id, resources)
            SELECT $1, $3, ARRAY['property:' || id, 'property:list'] FROM changed
        )";
