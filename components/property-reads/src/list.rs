//! `GET /api/properties`.

use super::walk::{kind, walk};
use shared::cache::{CacheStatus, Entry, Resource};
use shared::domain::{Page, Property, TenantId};
use shared::error::Error;
use shared::http::{self, After, Answer, Direction, ListQuery, SortFields};
use shared::row::{Parameter, RowReader};
use shared::spin::{Cached, Call, query, read_through};

const SORT_FIELDS: SortFields = SortFields {
    names: &["address", "suburb", "state", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"],
    default: "address",
    default_direction: Direction::Ascending,
};

/// Answers with one page of the tenant's properties, by its number or, with `after`, by keyset.
pub async fn list(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let asked = ListQuery::parse(call.parts.uri.query(), &SORT_FIELDS)?;
    if let Some(after) = After::parse(call.parts.uri.query(), &asked, kind(asked.sort_field))? {
        return walk(call, tenant, &asked, &after).await;
    }
    let Some(field) = asked.cache_field() else {
        let entry = fetch(call, tenant, &asked).await?;
        return Ok(http::list(entry, CacheStatus::Bypass, &call.parts));
    };
    let wanted = Cached { tenant, resource: Resource::PropertyList, field: &field };
    let (entry, status) = read_through(&call.config, wanted, async || fetch(call, tenant, &asked).await).await?;
    Ok(http::list(entry, status, &call.parts))
}

async fn fetch(call: &Call, tenant: &TenantId, asked: &ListQuery) -> Result<Entry, Error> {
    let mut parameters =
        vec![Parameter::text(tenant), Parameter::Integer(asked.page_size), Parameter::Integer(asked.offset())];
    parameters.extend(asked.search_pattern().map(Parameter::Text));
    let rows = query(&call.config, &sql(asked), parameters).await?;

    let rows = rows.iter().map(|row| RowReader::new(row));
    let page = Page::from_rows(rows, asked.page_number, asked.page_size, Property::from_row)?;
    Ok(Entry { found: true, version: None, owner: None, body: serde_json::to_vec(&page)? })
}

/// The page and the number of all matches, in one statement.
fn sql(asked: &ListQuery) -> String {
    let column = column(asked.sort_field);
    let direction = asked.direction.sql();
    let order = format!("{column} {direction} NULLS LAST, p.id");
    // The character that separates the members of search_text is in none of them, so a term with it finds nothing.
    let search =
        if asked.search.is_some() { r" AND p.search_text LIKE fold($4) AND strpos($4, E'\x1f') = 0" } else { "" };
    let columns = Property::COLUMNS;
    format!(
        "WITH page AS (
            SELECT p.* FROM properties p WHERE p.tenant_id = $1{search} ORDER BY {order} LIMIT $2 OFFSET $3
        ), total AS (
            SELECT count(*) AS matches FROM properties p WHERE p.tenant_id = $1{search}
        )
        SELECT total.matches, {columns} FROM total LEFT JOIN page p ON true ORDER BY {order}"
    )
}

/// The column of a row called `p` that holds the field.
pub fn column(sort_field: &str) -> &'static str {
    match sort_field {
        "suburb" => "p.suburb",
        "state" => "p.state",
        "weeklyRentAmount" => "p.weekly_rent_amount",
        "leaseStartDate" => "p.lease_start_date",
        "leaseEndDate" => "p.lease_end_date",
        _ => "p.address",
    }
}
