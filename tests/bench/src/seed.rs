//! Rows to read: as many as wanted, by one statement.

use anyhow::Result;
use postgres::Client;

/// So many properties, shared out evenly among `tenants` tenants called `{prefix}0`, `{prefix}1`, …
///
/// `description_chars` makes them short or long: 500 give an answer of about 1 KB.
pub fn properties(client: &mut Client, prefix: &str, tenants: i64, count: i64, description_chars: i32) -> Result<()> {
    let statement = "INSERT INTO properties (tenant_id, id, address, suburb, state, post_code, description,
            weekly_rent_amount, lease_start_date, lease_end_date, property_manager, property_manager_contact)
        SELECT $1 || n % $2::bigint, md5($1 || n)::uuid, n % 900 || ' ' || left(md5('street' || n), 12) || ' Street',
            'Suburb ' || n % 4000, (ARRAY['NSW', 'VIC', 'QLD', 'SA', 'WA', 'TAS', 'ACT', 'NT'])[(1 + n % 8)::int],
            lpad((n % 9999)::text, 4, '0'), left(repeat(md5('text' || n) || ' ', 16), $4), 250 + n % 900,
            timestamptz '2024-01-01Z' + n % 900 * interval '1 day', timestamptz '2025-01-01Z' + n % 900 * interval '1 day',
            'Manager ' || n % 500, 'manager' || n % 500 || '@example.com'
        FROM generate_series(0, $3::bigint - 1) AS n";
    client.batch_execute("SET statement_timeout = 0")?;
    client.execute(statement, &[&prefix, &tenants, &count, &description_chars])?;
    Ok(())
}

/// So many payments for each property of the tenant.
pub fn payments(client: &mut Client, tenant: &str, each: i64) -> Result<()> {
    let statement = "INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id,
            payment_method_id, payment_reference)
        SELECT p.tenant_id, gen_random_uuid(), p.id, 100 + n % 900, timestamptz '2024-01-01Z' + n * interval '7 days',
            '~system', (SELECT id FROM payment_methods WHERE tenant_id = '~system' AND name = 'Cash'), 'Rent ' || n
        FROM properties p, generate_series(1, $2::bigint) AS n WHERE p.tenant_id = $1";
    client.execute(statement, &[&tenant, &each])?;
    Ok(())
}

/// What autovacuum would have done by the time that a table has so many rows: statistics, visibility and the search
/// index's pending entries.
pub fn settle(client: &mut Client) -> Result<()> {
    client.batch_execute("VACUUM ANALYZE properties")?;
    Ok(client.batch_execute("VACUUM ANALYZE payments")?)
}

/// The ids of a tenant's properties, in the order of the list.
pub fn ids(client: &mut Client, tenant: &str) -> Result<Vec<String>> {
    let rows = client.query("SELECT id::text FROM properties WHERE tenant_id = $1 ORDER BY address, id", &[&tenant])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
