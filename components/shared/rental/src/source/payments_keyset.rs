//! `GET /api/properties/{propertyId}/payments?after=`: the same list by keyset.

use super::payments::{METHOD, column, order, search};
use crate::domain::{KeysetPage, Payment, PaymentId, PaymentMethod, PropertyId, TenantId, Timestamp};
use crate::error::Error;
use crate::http::{AfterCursor, Cursor, Direction, ListQuery, SortKind};
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

/// The field by whose order there is no keyset: a cursor would have to hold notes of up to 500 characters.
pub const WITHOUT: &str = "notes";

/// What kind of values a list sorted by this field has.
pub fn kind(sort_field: &str) -> SortKind {
    match sort_field {
        "amount" => SortKind::Money,
        "paymentMethod" | "paymentReference" | "notes" => SortKind::Text,
        _ => SortKind::Time,
    }
}

pub fn entry(rows: &[Vec<Column>], asked: &ListQuery, after: &AfterCursor<PaymentId>) -> Result<Entry, Error> {
    let mut payments = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = RowReader::new(row);
        let has_property = row.boolean()?;
        if !has_property {
            return Ok(Entry::not_there());
        }
        if !row.rest_is_null() {
            payments.push(Payment::from_row(&mut row)?);
        }
    }
    let cursor = |last: &Payment| {
        Cursor { value: last.sort_value(asked.sort_field), id: last.id() }.encode(asked).map_err(Error::from)
    };
    let page = KeysetPage::new(payments, asked.page_size, after.0.is_some(), cursor)?;
    Ok(Entry::of(serde_json::to_vec(&page)?))
}

/// Whether the property exists, and what follows the cursor in the list's order, in up to three parts: the rest of its
/// ties, the values behind it, and the rows without a value. By date an index answers each in order, and PostgreSQL stops
/// after a page; the other orders sort the property's own payments.
pub fn statement(
    tenant: &TenantId,
    property: PropertyId,
    asked: &ListQuery,
    after: &AfterCursor<PaymentId>,
) -> Statement {
    let (column, order) = (column(asked.sort_field), order(asked));
    // One more than the page, to know whether there is a next one.
    let mut parameters = vec![Parameter::uuid(property), Parameter::Integer(asked.page_size + 1)];
    let behind = if asked.direction == Direction::Ascending { ">" } else { "<" };
    let conditions = match &after.0 {
        None => vec!["true".to_owned()],
        Some(Cursor { value: None, id }) => {
            parameters.push(Parameter::uuid(id));
            vec![format!("{column} IS NULL AND y.id > $4")]
        }
        Some(Cursor { value: Some(value), id }) => {
            parameters.push(Parameter::uuid(id));
            let (parameter, value) = match kind(asked.sort_field) {
                SortKind::Money => (Parameter::Decimal(value.clone()), "$5"),
                SortKind::Text => (Parameter::text(value), "$5"),
                SortKind::Time => (Parameter::text(Timestamp::in_tables(value)), "$5::text::timestamptz"),
            };
            parameters.push(parameter);
            let ties = format!("{column} = {value} AND y.id > $4");
            vec![ties, format!("{column} {behind} {value}"), format!("{column} IS NULL")]
        }
    };
    let pattern = asked.search_pattern();
    // The tenant is the first.
    let search = pattern.as_ref().map(|_| search(parameters.len() + 2)).unwrap_or_default();
    parameters.extend(pattern.map(Parameter::Text));
    let part = |condition: &String| {
        format!(
            "(SELECT y.* FROM payments y JOIN {METHOD} WHERE y.tenant_id = $1 AND y.property_id = $2 AND {condition}{search}
            ORDER BY {order} LIMIT $3)"
        )
    };
    let parts: Vec<String> = conditions.iter().map(part).collect();
    let tables = format!("page AS ({})", parts.join(" UNION ALL "));
    let (payment, method) = (Payment::COLUMNS, PaymentMethod::COLUMNS);
    let select = format!(
        "SELECT property.is_there, {payment}, {method}
        FROM (SELECT EXISTS (SELECT FROM properties WHERE tenant_id = $1 AND id = $2) AS is_there) AS property
        LEFT JOIN (page y JOIN {METHOD}) ON true ORDER BY {order} LIMIT $3"
    );
    Statement::with(tenant, &tables, &select).bind(parameters)
}
