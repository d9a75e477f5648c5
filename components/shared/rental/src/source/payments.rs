//! `GET /api/properties/{propertyId}/payments`.

use crate::domain::{Page, Payment, PaymentMethod, PropertyId, TenantId};
use crate::error::Error;
use crate::http::{Direction, ListQuery, SortFields};
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

pub const SORT_FIELDS: SortFields = SortFields {
    names: &["paymentDate", "amount", "paymentMethod", "paymentReference", "notes"],
    default: "paymentDate",
    default_direction: Direction::Descending,
};

pub fn entry(rows: &[Vec<Column>], asked: &ListQuery) -> Result<Entry, Error> {
    let mut readers = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = RowReader::new(row);
        let has_property = row.boolean()?;
        if !has_property {
            return Ok(Entry::not_there());
        }
        readers.push(row);
    }
    let page = Page::from_rows(readers, asked.page_number, asked.page_size, Payment::from_row)?;
    Ok(Entry::of(serde_json::to_vec(&page)?))
}

/// Whether the property exists, the number of all matches and the page, in one statement.
pub fn statement(tenant: &TenantId, property: PropertyId, asked: &ListQuery) -> Statement {
    let order = order(asked);
    let search = if asked.search.is_some() { search(5) } else { String::new() };
    let matching = format!("FROM payments y JOIN {METHOD} WHERE y.tenant_id = $1 AND y.property_id = $2{search}");
    let (payment, method) = (Payment::COLUMNS, PaymentMethod::COLUMNS);
    let tables = format!(
        "page AS (
            SELECT y.* {matching} ORDER BY {order} LIMIT $3 OFFSET $4
        ), total AS (
            SELECT count(*) AS matches {matching}
        )"
    );
    let select = format!(
        "SELECT EXISTS (SELECT FROM properties WHERE tenant_id = $1 AND id = $2), total.matches, {payment}, {method}
        FROM total LEFT JOIN (page y JOIN {METHOD}) ON true ORDER BY {order}"
    );
    Statement::with(tenant, &tables, &select)
        .bind([Parameter::uuid(property), Parameter::Integer(asked.page_size), Parameter::Integer(asked.offset())])
        .bind(asked.search_pattern().map(Parameter::Text))
}

/// The method of a payment called `y`, called `m`.
pub const METHOD: &str = "payment_methods m ON m.tenant_id = y.payment_method_tenant_id AND m.id = y.payment_method_id";

/// The condition that the pattern in parameter `number` finds a payment.
pub fn search(number: usize) -> String {
    format!(
        " AND (fold(m.name) LIKE fold(${number}) OR fold(y.payment_reference) LIKE fold(${number}) \
         OR fold(y.notes) LIKE fold(${number}))"
    )
}

/// The column that holds the field.
pub fn column(sort_field: &str) -> &'static str {
    match sort_field {
        "amount" => "y.amount",
        "paymentMethod" => "m.name",
        "paymentReference" => "y.payment_reference",
        "notes" => "y.notes",
        _ => "y.payment_date",
    }
}

/// What a list is ordered by.
pub fn order(asked: &ListQuery) -> String {
    let (column, direction) = (column(asked.sort_field), asked.direction.sql());
    // A date and an amount are never null, and for the date the index is read as it is.
    match column {
        "y.payment_date" | "y.amount" => format!("{column} {direction}, y.id"),
        _ => format!("{column} {direction} NULLS LAST, y.id"),
    }
}
