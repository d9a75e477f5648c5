//! The demo data: two landlords, each with properties and a year of rent. The same at every run.

use anyhow::{Context, Result};

use crate::shell::say;

/// Two, to show that neither sees the other's rows.
pub const TENANTS: [&str; 2] = ["demo-alice", "demo-bob"];

/// The connection may carry the limits that are meant for requests.
const SESSION: &str = "SET statement_timeout = 0";

const IS_SEEDED: &str = "SELECT EXISTS (SELECT 1 FROM properties WHERE tenant_id = $1)";

/// Ids are UUIDs of version 7 as the server makes them: 48 bits of time, then what looks random and is a hash.
/// The steps through the lists (7, 3, 5, …) share no factor with their lengths, so neighbours differ in everything.
const PROPERTIES: &str = "
WITH lists AS (SELECT
    ARRAY['Acacia Street', 'Banksia Avenue', 'Church Street', 'Dalton Road', 'Elizabeth Street', 'Fern Close',
          'George Street', 'Harbour Parade', 'Illawarra Road', 'Jacaranda Court', 'King William Road'] AS streets,
    ARRAY['Newtown,NSW,2042', 'Fitzroy,VIC,3065', 'West End,QLD,4101', 'Fremantle,WA,6160', 'Glenelg,SA,5045',
          'Battery Point,TAS,7004', 'Braddon,ACT,2612', 'Parramatta,NSW,2150', 'Brunswick,VIC,3056',
          'Toowong,QLD,4066', 'Leederville,WA,6007', 'Norwood,SA,5067', 'Fannie Bay,NT,0820'] AS places,
    ARRAY['Two-bedroom apartment with a balcony', 'Weatherboard cottage, large garden', 'Studio near the station',
          'Brick terrace, renovated kitchen', 'Family home with a double garage', 'Top-floor unit, water views',
          'Granny flat behind the main house'] AS descriptions,
    ARRAY['Priya Nair', 'Tom O''Connor', 'Mei Chen', 'Layla Haddad', 'Jack Wilson'] AS managers
), numbered AS (
    SELECT n, md5($1 || ':property:' || n) AS hash,
           timestamptz '2025-01-06 09:00:00+00' + n * interval '37 minutes' AS created_at,
           n * 7 + length($1) AS seed
    FROM generate_series(1, $2::int) AS n
)
INSERT INTO properties (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount,
                        lease_start_date, lease_end_date, property_manager, property_manager_contact,
                        created_at, updated_at)
SELECT $1,
       (lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3)
           || 'a' || substr(hash, 4, 15))::uuid,
       CASE WHEN seed % 3 = 0 THEN (1 + seed % 24) || '/' ELSE '' END || (1 + seed * 3 % 180) || ' '
           || streets[1 + seed % 11],
       split_part(places[1 + seed * 5 % 13], ',', 1),
       split_part(places[1 + seed * 5 % 13], ',', 2),
       split_part(places[1 + seed * 5 % 13], ',', 3),
       -- Left out here and there, as people do.
       CASE WHEN n % 6 <> 0 THEN descriptions[1 + n * 3 % 7] END,
       280 + seed * 13 % 620 + CASE WHEN n % 4 = 0 THEN 0.50 ELSE 0 END,
       timestamptz '2024-02-01 00:00:00+00' + (seed * 11 % 300) * interval '1 day',
       CASE WHEN n % 5 <> 0
            THEN timestamptz '2026-02-01 00:00:00+00' + (seed * 11 % 300) * interval '1 day' END,
       CASE WHEN n % 7 <> 0 THEN managers[1 + seed % 5] END,
       CASE WHEN n % 7 <> 0
            THEN lower(regexp_replace(managers[1 + seed % 5], '[^A-Za-z]+', '.', 'g')) || '@agency.example' END,
       created_at, created_at
FROM numbered, lists";

/// A payment at the start of each month of 2025: 52 weeks' rent in twelve parts.
const PAYMENTS: &str = "
WITH methods AS (
    SELECT array_agg(id ORDER BY name) AS ids FROM payment_methods WHERE tenant_id = '~system'
), numbered AS (
    SELECT p.id AS property_id, p.weekly_rent_amount, month, n,
           md5(p.id::text || ':payment:' || month) AS hash,
           timestamptz '2025-01-01 00:00:00+00' + (month - 1) * interval '1 month'
               + (n * 5 % 4) * interval '1 day' AS paid_at
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM properties WHERE tenant_id = $1) AS p,
         generate_series(1, 12) AS month
)
INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, payment_method_id,
                      payment_reference, notes, created_at, updated_at)
SELECT $1,
       (lpad(to_hex((extract(epoch FROM paid_at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3)
           || 'b' || substr(hash, 4, 15))::uuid,
       property_id,
       round(weekly_rent_amount * 52 / 12, 2),
       paid_at, '~system',
       -- Most pay the same way every month.
       ids[1 + (n + CASE WHEN month = 7 THEN 1 ELSE 0 END) % cardinality(ids)],
       CASE WHEN (n + month) % 9 <> 0
            THEN 'RENT-' || lpad(n::text, 4, '0') || '-2025-' || lpad(month::text, 2, '0') END,
       CASE (n * 3 + month) % 11 WHEN 0 THEN 'Paid late, tenant on holiday'
                                 WHEN 4 THEN 'Includes the water bill, settled separately' END,
       paid_at, paid_at
FROM numbered, methods";

/// The planner has no statistics on tables that were just filled.
const ANALYZE: &str = "ANALYZE properties, payments";

/// Gives each demo tenant `count` properties with twelve payments each, unless it has any already.
pub fn seed(database_url: &str, count: u32) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut client = stack::connect(database_url)?;
    client.batch_execute(SESSION)?;
    let count = i32::try_from(count).context("that many properties do not fit")?;
    let mut seeded = false;
    for tenant in TENANTS {
        let mut transaction = client.transaction()?;
        if transaction.query_one(IS_SEEDED, &[&tenant]).map_err(stack::explain)?.get(0) {
            continue;
        }
        say(format!("seeding the demo: {count} properties with twelve payments each for {tenant}"));
        transaction.execute(PROPERTIES, &[&tenant, &count]).map_err(stack::explain)?;
        transaction.execute(PAYMENTS, &[&tenant]).map_err(stack::explain)?;
        transaction.commit()?;
        seeded = true;
    }
    if seeded {
        client.batch_execute(ANALYZE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use postgres::{Client, NoTls};
    use stack::Postgres;

    use super::*;

    fn migrated(server: &Postgres, name: &str) -> Client {
        server.create_database(name).expect("a database");
        stack::migrate(&server.url(name)).expect("migrated");
        Client::connect(&server.url(name), NoTls).expect("connected")
    }

    fn count(client: &mut Client, query: &str) -> i64 {
        client.query_one(query, &[]).expect(query).get(0)
    }

    /// All that was seeded, as one text.
    fn everything(client: &mut Client) -> String {
        let query = "SELECT (SELECT string_agg(p::text, E'\\n' ORDER BY tenant_id, id) FROM properties p)
                         || (SELECT string_agg(p::text, E'\\n' ORDER BY tenant_id, id) FROM payments p)";
        client.query_one(query, &[]).expect("read").get(0)
    }

    #[test]
    fn each_tenant_gets_its_own_properties_with_twelve_payments_each_once_and_always_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Postgres::start_for_tests(folder.path()).expect("PostgreSQL");
        let mut client = migrated(&server, "one");
        seed(&server.url("one"), 0).expect("nothing");
        assert_eq!(count(&mut client, "SELECT count(*) FROM properties"), 0);

        seed(&server.url("one"), 25).expect("seeded");
        let first = everything(&mut client);
        seed(&server.url("one"), 40).expect("seeded already");
        assert_eq!(everything(&mut client), first);

        for tenant in TENANTS {
            let of = |table: &str| format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
            assert_eq!(count(&mut client, &of("properties")), 25);
            assert_eq!(count(&mut client, &of("payments")), 25 * 12);
        }
        let uneven = "SELECT count(*) FROM (SELECT FROM payments GROUP BY property_id HAVING count(*) <> 12) AS odd";
        assert_eq!(count(&mut client, uneven), 0);
        // The server's own ids: version 7, variant 10.
        let odd_ids = "SELECT count(*) FROM (SELECT id FROM properties UNION ALL SELECT id FROM payments) AS all_ids
                       WHERE id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]'";
        assert_eq!(count(&mut client, odd_ids), 0);
        // Varied enough that sorting and searching show something.
        assert!(count(&mut client, "SELECT count(DISTINCT address) FROM properties") >= 45);
        assert!(count(&mut client, "SELECT count(DISTINCT suburb) FROM properties") >= 10);
        assert_eq!(count(&mut client, "SELECT count(DISTINCT description) FROM properties"), 7);
        assert_eq!(count(&mut client, "SELECT count(DISTINCT payment_method_id) FROM payments"), 5);

        let mut again = migrated(&server, "two");
        seed(&server.url("two"), 25).expect("seeded");
        assert_eq!(everything(&mut again), first);
    }
}
