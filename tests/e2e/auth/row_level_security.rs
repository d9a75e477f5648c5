//! Row level security: even a statement without its tenant in `WHERE` shows and changes no other tenant's rows.

use std::cell::Cell;

use postgres::error::SqlState;
use postgres::{Client, SimpleQueryMessage};
use serde_json::json;

use super::database_role::refused;
use crate::support::statements::{Sent, Statements};
use crate::support::{Private, Tenant, payment_path, payments_path, property_path, trials, world};

trials![
    statements_without_their_where_find_no_other_tenants_rows,
    a_whole_table_shows_only_ones_own_rows,
    without_a_tenant_no_rows_are_visible,
    the_tenant_of_a_statement_does_not_stay_in_its_connection,
    rows_of_another_tenant_cannot_be_written,
    every_table_with_a_tenant_has_a_policy,
    health_tells_whether_row_level_security_holds,
];

/// In every text of the landlord whose rows are tried for.
const MARK: &str = "Alice's own";

/// A landlord with a row in every table.
struct Owner {
    who: Tenant,
    property: String,
    payment: String,
}

impl Owner {
    fn new(who: Tenant) -> Owner {
        let method = "INSERT INTO payment_methods (tenant_id, name) VALUES ($1, $2)";
        who.world.execute(method, &[&who.id, &MARK]);
        let property = who.property_at(MARK);
        let payment = who.payment(&property, &payment_body(&who));
        Owner { who, property, payment }
    }

    /// Everything that there is of this landlord, as one text.
    fn rows(&self, sql: &mut Client) -> String {
        let statement = "SELECT concat_ws(' | ', \
            (SELECT string_agg(p::text, ' ' ORDER BY p::text) FROM properties p WHERE tenant_id = $1), \
            (SELECT string_agg(y::text, ' ' ORDER BY y::text) FROM payments y WHERE tenant_id = $1), \
            (SELECT string_agg(m::text, ' ' ORDER BY m::text) FROM payment_methods m WHERE tenant_id = $1))";
        sql.query_one(statement, &[&self.who.id]).expect("the rows").get(0)
    }
}

fn payment_body(who: &Tenant) -> serde_json::Value {
    json!({ "amount": 100, "paymentDate": "2025-03-01", "paymentMethodId": who.method(MARK), "notes": MARK })
}

/// What stands in place of the tenant. It may also be ordered by, which a bare `true` may not.
const EVERY_ROW: &str = "true IS TRUE";

/// SQL without its tenant: every comparison with `tenant` is gone. And how many there were.
fn without_where(sql: &str, tenant: &str) -> (String, usize) {
    let one_of = format!("m.tenant_id IN ('~system', {tenant})");
    let mut gone = sql.matches(&one_of).count();
    let mut text = sql.replace(&one_of, EVERY_ROW);
    let comparison = format!("tenant_id = {tenant}");
    while let Some(end) = text.find(&comparison) {
        let alias = text[..end].trim_end_matches(|c: char| c.is_ascii_lowercase() || c == '.').len();
        text.replace_range(alias..end + comparison.len(), EVERY_ROW);
        gone += 1;
    }
    (text, gone)
}

/// Takes the tenant out of every `WHERE` of the functions that the components call with it; their names.
fn functions_without_where(own: &Private) -> Vec<String> {
    let mut sql = own.sql();
    let functions = "SELECT proname::text, pg_get_functiondef(oid) FROM pg_proc \
        WHERE pronamespace = 'public'::regnamespace AND NOT prosecdef AND 'for_tenant' = ANY (proargnames)";
    let mut names = Vec::new();
    for row in sql.query(functions, &[]).expect("functions") {
        let (text, gone) = without_where(row.get(1), "for_tenant");
        if gone > 0 {
            sql.batch_execute(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            names.push(row.get(0));
        }
    }
    names
}

/// Everything that a statement answers, as one text.
fn answer(sql: &mut Client, statement: &str) -> Result<String, postgres::Error> {
    let messages = sql.simple_query(statement)?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let columns = rows.flat_map(|row| (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()));
    Ok(columns.collect::<Vec<_>>().join(" | "))
}

/// Takes the statements of the components as they are sent, removes the tenant from every `WHERE`, also of the functions
/// that they call, and runs them for another landlord with the ids of the first: as the components' role nothing comes of it. As the owner, whom the
/// policies do not bind, the same texts find and change what is another's.
fn statements_without_their_where_find_no_other_tenants_rows() {
    let own = Private::start();
    let log = Statements::of(&own);
    let alice = Owner::new(own.tenant());
    let (who, bob) = (&alice.who, own.tenant());
    let (property, payments) = (property_path(&alice.property), payments_path(&alice.property));
    let payment = payment_path(&alice.property, &alice.payment);
    let (body, cash) = (json!({ "address": MARK }), payment_body(who));
    let spare = who.payment(&alice.property, &cash);
    let spare_property = who.property_at(MARK);

    let get = |path: &str| drop(who.get(path).is(200));
    // Whether the text finds or changes another's rows once nothing holds it back.
    let sent = [
        (log.during(|| get("/api/properties")), true),
        // This one searches by a function, which takes its tenant from nowhere but the setting.
        (log.during(|| get("/api/properties?searchTerm=own")), false),
        (log.during(|| get(&property)), true),
        (log.during(|| get(&payments)), true),
        (log.during(|| get(&format!("{payments}?searchTerm=own"))), true),
        (log.during(|| get(&payment)), true),
        (log.during(|| get("/api/paymentmethods")), true),
        (log.during(|| drop(who.put(&property, &json!({})).is(400))), true),
        (log.during(|| drop(who.put(&property, &body).is(200))), true),
        (log.during(|| drop(who.put(&payment, &cash).is(204))), true),
        (log.during(|| drop(who.post(&payments, &cash).is(201))), true),
        (log.during(|| drop(who.delete(&payment_path(&alice.property, &spare)).is(204))), true),
        (log.during(|| drop(who.delete(&property_path(&spare_property)).is(204))), true),
    ];
    let stripped = functions_without_where(&own);
    let before = alice.rows(&mut own.sql());
    let tried = Cell::new(0);
    for (number, (statements, is_caught)) in sent.iter().enumerate() {
        let mut caught = false;
        for statement in statements {
            let (text, gone) = without_where(&statement.text, "$1");
            if gone == 0 && !stripped.iter().any(|function| text.contains(&format!(" {function}("))) {
                continue;
            }
            tried.set(tried.get() + 1);
            // What was deleted is not there any more; the others are.
            let text = Sent { text, values: statement.values.clone() }.with_values(&bob.id);
            let text = text.replace(&spare, &alice.payment).replace(&spare_property, &alice.property);
            let told = answer(&mut own.component_sql(), &text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            for secret in [MARK, &alice.property, &alice.payment] {
                assert!(!told.contains(secret), "{secret} came through: {told}\n{text}");
            }
            assert_eq!(alice.rows(&mut own.sql()), before, "changed by {text}");

            let mut owner = own.sql();
            owner.batch_execute("BEGIN").expect("BEGIN");
            caught |= match answer(&mut owner, &text) {
                // A look for a version answers a number alone.
                Ok(told) if text.contains("(SELECT row_version FROM properties") => told == "2",
                // A property is not deleted if it has a payment that the statement does not name; that one is told.
                Ok(told) => told.contains(MARK) || told.contains(&alice.payment) || alice.rows(&mut owner) != before,
                // Past the policies there are still the constraints, which carry the tenant too.
                Err(error) => {
                    [&SqlState::FOREIGN_KEY_VIOLATION, &SqlState::CHECK_VIOLATION].map(Some).contains(&error.code())
                }
            };
            owner.batch_execute("ROLLBACK").expect("ROLLBACK");
        }
        assert_eq!(caught, *is_caught, "{number}: {statements:#?}");
    }
    println!("statements without their WHERE: {} tried, 0 got through", tried.get());
    assert!(tried.get() >= sent.len());
}

/// The tables, with how many rows of the system's own everybody sees.
const TABLES: [(&str, i64); 4] = [("properties", 0), ("payments", 0), ("payment_methods", 5), ("idempotency_keys", 0)];

fn count(sql: &mut Client, table: &str, condition: &str) -> i64 {
    sql.query_one(&format!("SELECT count(*) FROM {table} WHERE {condition}"), &[]).expect(table).get(0)
}

fn a_whole_table_shows_only_ones_own_rows() {
    let (alice, bob) = (Owner::new(world().tenant()), Owner::new(world().tenant()));
    for who in [&alice.who, &bob.who] {
        let request = who.request("POST", "/api/properties").header("Idempotency-Key", "one");
        request.json(&json!({ "address": MARK })).send().is(201);
    }
    let mut sql = world().component_sql();
    let mut transaction = sql.transaction().expect("a transaction");
    transaction.execute("SELECT set_config('renttracker.tenant', $1, true)", &[&alice.who.id]).expect("the setting");
    for (table, of_the_system) in TABLES {
        let statement = format!("SELECT tenant_id, count(*) FROM {table} GROUP BY tenant_id");
        let rows = transaction.query(&statement, &[]).expect(table);
        for row in rows {
            let (tenant, count): (String, i64) = (row.get(0), row.get(1));
            let is_expected = tenant == alice.who.id || (tenant == "~system" && count == of_the_system);
            assert!(is_expected, "{table} shows {count} rows of {tenant}");
        }
    }
}

fn without_a_tenant_no_rows_are_visible() {
    Owner::new(world().tenant());
    let mut sql = world().component_sql();
    for tenant in ["", "~system", "no such landlord"] {
        if !tenant.is_empty() {
            sql.execute("SELECT set_config('renttracker.tenant', $1, false)", &[&tenant]).expect("the setting");
        }
        for (table, of_the_system) in TABLES {
            assert_eq!(count(&mut sql, table, "true"), of_the_system, "{table} for {tenant:?}");
        }
    }
}

fn the_tenant_of_a_statement_does_not_stay_in_its_connection() {
    let alice = Owner::new(world().tenant());
    let mut sql = world().component_sql();
    let statement = "WITH tenant AS MATERIALIZED (SELECT set_config('renttracker.tenant', $1, true) AS id)
        SELECT answer.* FROM tenant CROSS JOIN LATERAL (
            SELECT body.* FROM (SELECT count(*) FROM properties) AS body WHERE tenant.id IS NOT NULL OFFSET 0
        ) AS answer";
    for _ in 0..2 {
        assert_eq!(sql.query_one(statement, &[&alice.who.id]).expect("a count").get::<_, i64>(0), 1);
        assert_eq!(count(&mut sql, "properties", "true"), 0);
    }
}

fn rows_of_another_tenant_cannot_be_written() {
    let (alice, bob) = (Owner::new(world().tenant()), world().tenant());
    let (theirs, property, payment) = (&alice.who.id, &alice.property, &alice.payment);
    let before = alice.rows(&mut world().sql());
    for statement in [
        format!("INSERT INTO properties (tenant_id, id, address) VALUES ('{theirs}', gen_random_uuid(), 'x')"),
        format!(
            "INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, \
             payment_method_id) VALUES ('{theirs}', gen_random_uuid(), '{property}', 1, now(), '~system', \
             '01980000-0000-7000-8000-000000000002')"
        ),
        format!(
            "INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ('{theirs}', gen_random_uuid(), '{{}}')"
        ),
        format!(
            "INSERT INTO idempotency_keys (tenant_id, key, request, answer) VALUES ('{theirs}', 'k', '{}', '{{}}')",
            "0".repeat(64)
        ),
        format!("UPDATE properties SET tenant_id = '{theirs}'"),
        format!("UPDATE payments SET tenant_id = '{theirs}'"),
        format!("UPDATE payments SET property_id = '{property}'"),
    ] {
        refused(&bob.id, &statement);
    }
    let mut sql = world().component_sql();
    sql.execute("SELECT set_config('renttracker.tenant', $1, false)", &[&bob.id]).expect("the setting");
    for statement in [
        format!("UPDATE properties SET address = 'x' WHERE id = '{property}'"),
        format!("UPDATE payments SET amount = 1 WHERE id = '{payment}'"),
        format!("DELETE FROM payments WHERE tenant_id = '{theirs}'"),
        format!("DELETE FROM properties WHERE tenant_id = '{theirs}'"),
        format!("DELETE FROM idempotency_keys WHERE tenant_id = '{theirs}'"),
    ] {
        assert_eq!(sql.execute(&statement, &[]).expect("allowed"), 0, "{statement}");
    }
    // The functions that write have their caller's policies, whatever tenant they are told.
    let write = "00000000-0000-0000-0000-000000000000";
    let null = |times: usize| vec!["NULL"; times].join(", ");
    for (call, code) in [
        (format!("delete_property($1, '{property}', '{write}', NULL)"), None),
        (format!("delete_payment($1, '{property}', '{payment}', '{write}', NULL)"), None),
        (format!("replace_property($1, '{property}', '{write}', 'x', {})", null(10)), None),
        (
            format!("replace_payment($1, '{property}', '{payment}', '{write}', NULL, 'Cash', 1, now(), {})", null(3)),
            None,
        ),
        (format!("create_payment($1, '{property}', '{write}', '{write}', NULL, 'Cash', 1, now(), {})", null(4)), None),
        (
            format!("create_property($1, '{write}', '{write}', 'x', {})", null(11)),
            Some(SqlState::INSUFFICIENT_PRIVILEGE),
        ),
    ] {
        let called = sql.execute(&format!("SELECT * FROM {call}"), &[theirs]);
        assert_eq!(called.as_ref().err().and_then(|error| error.code()), code.as_ref(), "{call}: {called:?}");
    }
    // The foreign keys are checked past the policies, and carry the tenant: one's own payment for another's property.
    let foreign = "INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, \
        payment_method_id) VALUES ($1, gen_random_uuid(), $2::text::uuid, 1, now(), '~system', \
        '01980000-0000-7000-8000-000000000002')";
    let error = sql.execute(foreign, &[&bob.id, property]).expect_err("refused");
    assert_eq!(error.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION));
    assert_eq!(alice.rows(&mut world().sql()), before);
}

fn every_table_with_a_tenant_has_a_policy() {
    let open = world().query(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') \
             AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))",
        &[],
    );
    assert_eq!(open.iter().map(|row| row.get(0)).collect::<Vec<String>>(), Vec::<String>::new());
    // Health asks of each of them.
    let bound = world().query("SELECT count(*) FROM pg_class WHERE relrowsecurity", &[])[0].get::<_, i64>(0);
    let body = "SELECT prosrc FROM pg_proc WHERE proname = 'row_level_security_holds'";
    let body: String = world().query(body, &[])[0].get(0);
    assert_eq!(body.matches('\'').count() as i64, 2 * bound, "{body}");
}

fn health_tells_whether_row_level_security_holds() {
    let own = Private::start();
    let health = own.administrator().get("/api/health").is(200).json();
    assert_eq!(health["rowLevelSecurity"], true, "{health}");
    // Where a pooler stands before PostgreSQL, its owner's way is another.
    let address = stack::database_address(&own.database_url).expect("a URL");
    let owners = [("database_url", own.database_url.as_str()), ("database_address", &address)];
    let (_host, unbound) = own.another_host_with(&owners);
    let health = unbound.administrator().get("/api/health").is(200).json();
    assert_eq!(health["rowLevelSecurity"], false, "{health}");
    unbound.get("/readyz").is(200);
}
