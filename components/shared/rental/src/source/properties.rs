//! `GET /api/properties`, by the page's number.

use crate::domain::{Page, Property, TenantId};
use crate::error::Error;
use crate::http::{Direction, ListQuery, SortFields};
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

pub const SORT_FIELDS: SortFields = SortFields {
    names: &["address", "suburb", "state", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"],
    default: "address",
    default_direction: Direction::Ascending,
};

pub fn entry(rows: &[Vec<Column>], asked: &ListQuery) -> Result<Entry, Error> {
    let rows = rows.iter().map(|row| RowReader::new(row));
    let page = Page::from_rows(rows, asked.page_number, asked.page_size, Property::from_row)?;
    Ok(Entry::of(serde_json::to_vec(&page)?))
}

/// The page and the number of all matches, in one statement.
pub fn statement(tenant: &TenantId, asked: &ListQuery) -> Statement {
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
        .bind([Parameter::Integer(asked.page_size), Parameter::Integer(asked.offset())])
        .bind(asked.search_pattern().map(Parameter::Text))
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
