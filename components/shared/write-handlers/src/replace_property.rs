//! `PUT /api/properties/{id}`.

use super::create_property::members;
use super::precondition::{Target, before, demanded, refusal, versions};
use http::StatusCode;
use platform::http::Call;
use platform::write::{Written, write};
use rental::domain::{Property, PropertyDraft, PropertyId, RowVersion, TenantId};
use rental::error::Error;
use rental::http::Answer;
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};

const ROW: &str = "FROM properties v WHERE v.tenant_id = tenant AND v.id = $2";

/// Replaces the writable members of a property.
pub async fn replace(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let target = Target::Property(id);
    let draft = match PropertyDraft::parse(&call.body().await?) {
        Ok(draft) => draft,
        Err(violations) => return Err(before(call, tenant, target, violations).await),
    };
    let precondition = demanded(call, tenant, target, draft.row_version).await?;
    let statement = |outbox_row| {
        let (argument, versions) = versions(&precondition, 15, ROW);
        let replace = format!(
            "replace_property(tenant, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::timestamptz,
                $12::text::timestamptz, $13, $14, {argument}) AS r
            LEFT JOIN LATERAL (SELECT (r.changed).*) AS p ON true"
        );
        Statement::call(tenant, &replace, &format!("r.found_version, {}", Property::COLUMNS))
            .bind([Parameter::uuid(id)])
            .bind(outbox_row)
            .bind(members(&draft))
            .bind([versions])
    };
    let resources = [Resource::Property(id), Resource::PropertyList];
    let outcome = write(&call.instance, tenant, &resources, statement, |rows| {
        let row = rows.first().ok_or_else(|| Error::Internal("replace_property answers no row".into()))?;
        let mut row = RowReader::new(row);
        let refused = |error| Ok(Written { result: Err(error), changed: false, also: Vec::new() });
        let Some(found) = row.optional_from_integer(RowVersion::new)? else {
            return refused(Error::NotFound);
        };
        if row.rest_is_null() {
            return refused(refusal(&precondition, found));
        }
        Ok(Written { result: Ok(Property::from_row(&mut row)?), changed: true, also: Vec::new() })
    });
    let property = outcome.await??;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&property)?).with_etag(property.row_version()))
}
