//! `GET /api/properties/{propertyId}/payments`.

use shared::cache::{CacheStatus, Entry, Resource};
use shared::domain::{Page, Payment, PaymentMethod, PropertyId, TenantId};
use shared::error::Error;
use shared::http::{self, Answer, Direction, ListQuery, SortFields};
use shared::row::{Parameter, RowReader};
use shared::spin::{Cached, Call, query, read_through};
use shared::statement::Statement;

const SORT_FIELDS: SortFields = SortFields {
    names: &["paymentDate", "amount", "paymentMethod", "paymentReference", "notes"],
    default: "paymentDate",
    default_direction: Direction::Descending,
};

/// Answers with one page of a property's payments.
pub async fn list(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let asked = ListQuery::parse(call.parts.uri.query(), &SORT_FIELDS)?;
    let Some(field) = asked.cache_field() else {
        let entry = fetch(call, tenant, property, &asked).await?;
        return Ok(http::list(entry, CacheStatus::Bypass, &call.parts));
    };
    let wanted = Cached { tenant, resource: Resource::PaymentList(property), field: &field };
    let (entry, status) =
        read_through(&call.config, wanted, async || fetch(call, tenant, property, &asked).await).await?;
    Ok(http::list(entry, status, &call.parts))
}

async fn fetch(call: &Call, tenant: &TenantId, property: PropertyId, asked: &ListQuery) -> Result<Entry, Error> {
    let statement = statement(tenant, asked)
        .bind([Parameter::uuid(property), Parameter::Integer(asked.page_size), Parameter::Integer(asked.offset())])
        .bind(asked.search_pattern().map(Parameter::Text));
    let rows = query(&call.config, statement).await?;

    let mut readers = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut row = RowReader::new(row);
        let has_property = row.boolean()?;
        if !has_property {
            return Ok(Entry::not_there());
        }
        readers.push(row);
    }
    let page = Page::from_rows(readers, asked.page_number, asked.page_size, Payment::from_row)?;
    Ok(Entry { found: true, version: None, owner: None, body: serde_json::to_vec(&page)? })
}

/// Whether the property exists, the number of all matches and the page, in one statement.
fn statement(tenant: &TenantId, asked: &ListQuery) -> Statement {
    const METHOD: &str = "payment_methods m ON m.tenant_id = y.payment_method_tenant_id AND m.id = y.payment_method_id";
    let column = match asked.sort_field {
        "amount" => "y.amount",
        "paymentMethod" => "m.name",
        "paymentReference" => "y.payment_reference",
        "notes" => "y.notes",
        _ => "y.payment_date",
    };
    let direction = asked.direction.sql();
    // A date and an amount are never null, and for the date the index is read as it is.
    let order = match column {
        "y.payment_date" | "y.amount" => format!("{column} {direction}, y.id"),
        _ => format!("{column} {direction} NULLS LAST, y.id"),
    };
    let search = if asked.search.is_some() {
        " AND (fold(m.name) LIKE fold($5) OR fold(y.payment_reference) LIKE fold($5) OR fold(y.notes) LIKE fold($5))"
    } else {
        ""
    };
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
}
