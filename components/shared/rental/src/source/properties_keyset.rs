//! `GET /api/properties?after=`: the same list by keyset. Each page costs the same, however far it is from the start.

use super::properties::{column, found};
use crate::domain::{KeysetPage, Property, PropertyId, TenantId, Timestamp};
use crate::error::Error;
use crate::http::{AfterCursor, Cursor, Direction, ListQuery, SortKind};
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

/// What kind of values a list sorted by this field has.
pub fn kind(sort_field: &str) -> SortKind {
    match sort_field {
        "weeklyRentAmount" => SortKind::Money,
        "leaseStartDate" | "leaseEndDate" => SortKind::Time,
        _ => SortKind::Text,
    }
}

pub fn entry(rows: &[Vec<Column>], asked: &ListQuery, after: &AfterCursor<PropertyId>) -> Result<Entry, Error> {
    let properties = rows.iter().map(|row| Property::from_row(&mut RowReader::new(row)));
    let properties: Vec<Property> = properties.collect::<Result<_, _>>()?;
    let cursor = |last: &Property| {
        Cursor { value: last.sort_value(asked.sort_field), id: last.id() }.encode(asked).map_err(Error::from)
    };
    let page = KeysetPage::new(properties, asked.page_size, after.0.is_some(), cursor)?;
    Ok(Entry::of(serde_json::to_vec(&page)?))
}

pub fn statement(tenant: &TenantId, asked: &ListQuery, after: &AfterCursor<PropertyId>) -> Statement {
    // One more than the page, to know whether there is a next one.
    let mut parameters = vec![Parameter::Integer(asked.page_size + 1)];
    if let Some(Cursor { value, id }) = &after.0 {
        parameters.push(Parameter::uuid(id));
        parameters.extend(value.as_ref().map(|value| match kind(asked.sort_field) {
            SortKind::Money => Parameter::Decimal(value.clone()),
            SortKind::Text => Parameter::text(value),
            SortKind::Time => Parameter::text(Timestamp::in_tables(value)),
        }));
    }
    let pattern = asked.search_pattern();
    // The tenant is the first.
    let search_number = pattern.is_some().then_some(parameters.len() + 2);
    parameters.extend(pattern.map(Parameter::Text));
    text(tenant, asked, after, search_number).bind(parameters)
}

/// What follows a cursor in the list's order, in up to three parts that an index answers each in order: the rest of its
/// ties, the values behind it, and the rows without a value. PostgreSQL stops in each after a page.
///
/// Under row level security it looks up by an index only what could leak nothing of a row: texts, times and ids, and no
/// amounts. By rent PostgreSQL therefore reads the tenant's own rows in their order, up to the cursor.
fn text(
    tenant: &TenantId,
    asked: &ListQuery,
    after: &AfterCursor<PropertyId>,
    search_number: Option<usize>,
) -> Statement {
    let column = column(asked.sort_field);
    let direction = asked.direction.sql();
    let order = format!("{column} {direction} NULLS LAST, p.id");
    let value = if kind(asked.sort_field) == SortKind::Time { "$4::text::timestamptz" } else { "$4" };
    let behind = if asked.direction == Direction::Ascending { ">" } else { "<" };
    let conditions = match &after.0 {
        None => vec!["true".to_owned()],
        Some(Cursor { value: None, .. }) => vec![format!("{column} IS NULL AND p.id > $3")],
        Some(Cursor { value: Some(_), .. }) => {
            let ties = format!("{column} = {value} AND p.id > $3");
            vec![ties, format!("{column} {behind} {value}"), format!("{column} IS NULL")]
        }
    };
    let properties = if search_number.is_some() { "found" } else { "properties" };
    let part = |condition: String| {
        format!("(SELECT p.* FROM {properties} p WHERE p.tenant_id = $1 AND {condition} ORDER BY {order} LIMIT $2)")
    };
    let parts: Vec<String> = conditions.into_iter().map(part).collect();
    let select =
        format!("SELECT {} FROM ({}) AS p ORDER BY {order} LIMIT $2", Property::COLUMNS, parts.join(" UNION ALL "));
    match search_number {
        Some(number) => Statement::with(tenant, &found(number), &select),
        None => Statement::select(tenant, &select),
    }
}
