//! Plans: among hundreds of thousands of rows, no list and no search reads a table from end to end.
//!
//! PostgreSQL's own `auto_explain` writes down the plan of every statement that the components run for a request, with
//! the values that they sent: nothing is retyped here, and nothing is estimated.

use std::io::{Read, Seek, SeekFrom};

use serde_json::Value;

use crate::support::{
    Cache, Private, Tenant, eventually, payment_path, payments_path, postgres_log, property_path, trials,
};

/// Landlords, and properties of each; every property has a payment, and one of them has many.
const TENANTS: u32 = 400;
const PROPERTIES_EACH: u32 = 500;
const PAYMENTS_OF_ONE: u32 = 2000;
/// The landlord who asks: as one among many, and with more than the others.
const TENANT: &str = "landlord-7";
const PROPERTY: &str = "0190b5a8-0000-7000-8000-000000000007";
const PAYMENT: &str = "0190b5a8-0000-7000-8000-000000000008";

trials![every_list_order_and_search_uses_an_index];

/// A query string, and the column whose index must give the order (empty: any index will do).
type Case = (String, &'static str);

fn every_list_order_and_search_uses_an_index() {
    let own = Private::start();
    load(&own);
    let plans = Plans::of(&own);
    let who = own.tenant_named(TENANT);
    for (query, column) in property_lists() {
        plans.use_an_index(&who, &format!("/api/properties?{query}"), "properties", column);
    }
    for (query, column) in payment_lists() {
        plans.use_an_index(&who, &format!("{}?{query}", payments_path(PROPERTY)), "payments", column);
    }
    plans.use_an_index(&who, &property_path(PROPERTY), "properties", "");
    plans.use_an_index(&who, &payment_path(PROPERTY, PAYMENT), "payments", "");

    // The check can fail: without the indexes it does.
    drop_indexes(&own);
    let plans = plans.after("/api/properties?searchTerm=noticed", &who);
    assert!(plans.iter().any(|plan| whole_reads(plan).contains(&"properties".to_owned())), "not noticed: {plans:#?}");
    let route = format!("{}?searchTerm=noticed", payments_path(PROPERTY));
    let plans = Plans::of(&own).after(&route, &who);
    assert!(plans.iter().any(|plan| whole_reads(plan).contains(&"payments".to_owned())), "not noticed: {plans:#?}");
}

fn property_lists() -> Vec<Case> {
    let mut cases = Vec::new();
    for (field, column) in [
        ("address", "address"),
        ("suburb", "suburb"),
        ("state", "state"),
        ("weeklyRentAmount", "weekly_rent_amount"),
        ("leaseStartDate", "lease_start_date"),
        ("leaseEndDate", "lease_end_date"),
    ] {
        for descending in [false, true] {
            cases.push((format!("sortField={field}&sortDescending={descending}"), column));
            cases.push((format!("sortField={field}&sortDescending={descending}&pageNumber=5&pageSize=50"), ""));
            cases.push((format!("sortField={field}&sortDescending={descending}&searchTerm=wharf"), "search_text"));
        }
    }
    // Rare, not there, in every row, short, with wildcards in it: where trigrams help, they are used.
    for (term, column) in
        [("wharf", "search_text"), ("nowhere+at+all", "search_text"), ("house", ""), ("a", ""), ("ho", ""), ("%25", "")]
    {
        cases.push((format!("searchTerm={term}"), column));
    }
    cases
}

fn payment_lists() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![("pageSize=11".into(), "payment_date"), ("pageNumber=20&pageSize=50".into(), "")];
    for field in ["paymentDate", "amount", "paymentMethod", "paymentReference", "notes"] {
        for descending in [false, true] {
            cases.push((format!("sortField={field}&sortDescending={descending}"), ""));
        }
    }
    for term in ["late", "INV", "cash", "a", "%25"] {
        cases.push((format!("searchTerm={term}"), ""));
    }
    cases
}

/// Fills a database of its own. The indexes are taken away for the loading and put back word for word: with them it
/// would take minutes.
fn load(own: &Private) {
    let mut sql = own.sql();
    let definitions = sql
        .query(
            "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('properties', \
             'payments') AND indexname NOT LIKE '%_pkey'",
            &[],
        )
        .expect("indexes");
    assert!(definitions.len() > 3, "the schema has indexes");
    let mut script = String::from("SET maintenance_work_mem = '256MB'; SET session_replication_role = replica;");
    for row in &definitions {
        script.push_str(&format!("DROP INDEX {};", row.get::<_, String>(0)));
    }
    script.push_str(&format!(
        "INSERT INTO properties (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount,
             lease_start_date, lease_end_date, property_manager, property_manager_contact)
         SELECT 'landlord-' || n % {TENANTS}, gen_random_uuid(), n || ' Long ' || md5(n::text) || ' St',
             'Suburb ' || n % 997, CASE WHEN n % 5 > 0 THEN 'State ' || n % 8 END, (n % 9000)::text,
             'A house' || CASE WHEN n % 1009 = 7 THEN ' by the wharf' ELSE '' END, n % 2000 + 0.5,
             CASE WHEN n % 3 > 0 THEN timestamptz '2020-01-01Z' + n % 3000 * interval '1 day' END,
             timestamptz '2021-01-01Z' + n % 2000 * interval '1 day', 'Manager ' || n % 50, 'm' || n || '@example.com'
         FROM generate_series(1, {TENANTS} * {PROPERTIES_EACH}) n;
         INSERT INTO properties (tenant_id, id, address) VALUES ('{TENANT}', '{PROPERTY}', 'The one with many payments');
         INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id,
             payment_method_id, payment_reference, notes)
         SELECT p.tenant_id, gen_random_uuid(), p.id, 100, timestamptz '2025-01-01Z', m.tenant_id, m.id, 'INV', NULL
         FROM properties p, LATERAL (SELECT tenant_id, id FROM payment_methods LIMIT 1) m;
         INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id,
             payment_method_id, payment_reference, notes)
         SELECT '{TENANT}', CASE n WHEN 1 THEN '{PAYMENT}' ELSE gen_random_uuid() END, '{PROPERTY}', n,
             timestamptz '2025-01-01Z' - n * interval '1 day', m.tenant_id, m.id, 'INV-' || n,
             CASE WHEN n % 100 = 0 THEN 'late' END
         FROM generate_series(1, {PAYMENTS_OF_ONE}) n,
             LATERAL (SELECT tenant_id, id FROM payment_methods ORDER BY name LIMIT 1) m;"
    ));
    for row in &definitions {
        script.push_str(&format!("{};", row.get::<_, String>(1)));
    }
    // Pages all visible, statistics fresh: as a server that has been running is.
    sql.batch_execute(&script).unwrap_or_else(|error| panic!("loading: {error:?}"));
    sql.batch_execute("VACUUM ANALYZE properties").expect("VACUUM");
    sql.batch_execute("VACUUM ANALYZE payments").expect("VACUUM");
}

fn drop_indexes(own: &Private) {
    let statement = "DO $$ DECLARE name text; BEGIN \
        ALTER TABLE properties DROP CONSTRAINT properties_pkey CASCADE; ALTER TABLE payments DROP CONSTRAINT payments_pkey CASCADE; \
        FOR name IN SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('properties', 'payments') \
        LOOP EXECUTE format('DROP INDEX %I', name); END LOOP; END $$";
    own.sql().batch_execute(statement).expect("indexes dropped");
}

/// The plans that PostgreSQL writes into its log for one database.
struct Plans {
    database: String,
    /// Index names with their definitions.
    indexes: Vec<(String, String)>,
}

impl Plans {
    /// Turns `auto_explain` on for the sessions that start from now on.
    fn of(own: &Private) -> Plans {
        let mut sql = own.sql();
        let database: String = sql.query_one("SELECT current_database()::text", &[]).expect("a name").get(0);
        for (name, value) in [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_format", "json"),
            ("auto_explain.log_nested_statements", "on"),
        ] {
            sql.batch_execute(&format!("ALTER DATABASE {database} SET {name} = '{value}'")).expect(name);
        }
        let rows = sql.query("SELECT indexname::text, indexdef FROM pg_indexes", &[]).expect("indexes");
        Plans { database, indexes: rows.iter().map(|row| (row.get(0), row.get(1))).collect() }
    }

    /// The plans of the statements that a GET runs.
    fn after(&self, route: &str, who: &Tenant) -> Vec<Value> {
        let mut log = std::fs::File::open(postgres_log()).expect("PostgreSQL's log");
        let start = log.seek(SeekFrom::End(0)).expect("its end");
        // Without indexes a busy PostgreSQL may need longer than its limit.
        let answer = eventually("an answer", || {
            let answer = who.get(route);
            (answer.status == 200).then_some(answer)
        });
        assert_ne!(answer.cache(), Cache::Hit, "PostgreSQL was not asked: {answer}");
        eventually(&format!("a plan for {route}"), || {
            log.seek(SeekFrom::Start(start)).ok()?;
            let mut text = Vec::new();
            log.read_to_end(&mut text).ok()?;
            let plans = plans_in(&String::from_utf8_lossy(&text), &self.database);
            let ours = plans.iter().any(|plan| !relations(plan).is_empty());
            ours.then_some(plans)
        })
    }

    /// Neither table is read from end to end, an index of `table` is used, and one that has `column` where one is named.
    fn use_an_index(&self, who: &Tenant, route: &str, table: &str, column: &str) {
        let plans = self.after(route, who);
        for plan in &plans {
            assert_eq!(whole_reads(plan), Vec::<String>::new(), "{route}: {plan:#}");
        }
        let used: Vec<String> = plans.iter().flat_map(|plan| values(plan, "Index Name")).collect();
        let serves = |name: &String| {
            let definition = self.indexes.iter().find(|(index, _)| index == name).map(|(_, definition)| definition);
            definition.is_some_and(|text| text.contains(&format!(".{table} ")) && text.contains(column))
        };
        assert!(used.iter().any(serves), "{route}: no index of {table} with {column:?} among {used:?}: {plans:#?}");
    }
}

/// Each plan in the log that belongs to this database.
fn plans_in(log: &str, database: &str) -> Vec<Value> {
    let ours = format!(" {database} LOG:");
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.contains(&ours) || !line.trim_end().ends_with("plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(more) = lines.next_if(|next| next.starts_with('\t')) {
            text.push_str(more);
        }
        // The last one may still be being written.
        plans.extend(serde_json::from_str::<Value>(&text));
    }
    plans
}

/// The values of a member, anywhere in a plan.
fn values(plan: &Value, member: &str) -> Vec<String> {
    match plan {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == member => vec![text.to_owned()],
                _ => values(value, member),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| values(item, member)).collect(),
        _ => Vec::new(),
    }
}

fn relations(plan: &Value) -> Vec<String> {
    values(plan, "Relation Name").into_iter().filter(|name| name == "properties" || name == "payments").collect()
}

/// The big tables that a plan reads from end to end, in parallel or not.
fn whole_reads(plan: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Value::Object(members) = plan {
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("Node Type").ends_with("Seq Scan") && ["properties", "payments"].contains(&text("Relation Name")) {
            found.push(text("Relation Name").to_owned());
        }
        found.extend(members.values().flat_map(whole_reads));
    } else if let Value::Array(items) = plan {
        found.extend(items.iter().flat_map(whole_reads));
    }
    found
}
