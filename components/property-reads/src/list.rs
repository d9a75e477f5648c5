//! `GET /api/properties`.

use super::walk::{kind, walk};
use shared::cache::{CacheStatus, Entry, Resource};
use shared::domain::{Page, Property, TenantId};
use shared::error::Error;
use shared::http::{self, After, Answer, Direction, ListQuery, SortFields};
use shared::row::{Parameter, RowReader};
use shared::spin::{Cached, Call, query, read_through};
use shared::statement::Statement;

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
    let statement = statement(tenant, asked)
        .bind([Parameter::Integer(asked.page_size), Parameter::Integer(asked.offset())])
        .bind(asked.search_pattern().map(Parameter::Text));
    let rows = query(&call.config, statement).await?;

    let rows = rows.iter().map(|row| RowReader::new(row));
    let page = Page::from_rows(rows, asked.page_number, asked.page_size, Property::from_row)?;
    Ok(Entry { found: true, version: None, owner: None, body: serde_json::to_vec(&page)? })
}

/// The page and the number of all matches, in one statement.
fn statement(tenant: &TenantId, asked: &ListQuery) -> Statement {
    let column = column(asked.sort_field);
    let direction = asked.direction.sql();
    let order = format!("{column} {direction} NULLS LAST, p.id");
    let (found, properties) = match asked.search {
        Some(_) => (format!("{}, ", found(4)), "found"),
        None => (String::new(), "properties"),
    };
    let columns = Property::COLUMNS;
    let tables = format!(
        "{found}page AS (
            SELECT p.* FROM {properties} p WHERE p.tenant_id = $1 ORDER BY {order} LIMIT $2 OFFSET $3
        ), total AS (
            SELECT count(*) AS matches FROM {properties} p WHERE p.tenant_id = $1
        )"
    );
    let select = format!("SELECT total.matches, {columns} FROM total LEFT JOIN page p ON true ORDER BY {order}");
    Statement::with(tenant, &tables, &select)
}

/// The table `found`: the properties that the pattern in parameter `number` finds. Why searching is a function says
/// `infra/migrations/0007_row_level_security.sql`.
pub fn found(number: usize) -> String {
    format!("found AS MATERIALIZED (SELECT * FROM matching_properties(${number}))")
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
