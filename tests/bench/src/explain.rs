//! `cargo xtask explain`: how PostgreSQL runs each statement of the components on a million rows.
//!
//! The statements are those that the running components send: PostgreSQL's own `auto_explain` writes their plans to its
//! log while each route is asked once.

use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use postgres::Client;

use crate::load::{Ask, once};
use crate::seed;
use crate::stage::{Api, Stage};

/// How the names of tables begin that have a few rows, which are best read whole: PostgreSQL's own (`database_run` looks its database up
/// there), and the one with a row a region.
const SMALL: [&str; 2] = ["pg_", "log_regions"];

/// Where the plans stand, and between which lines.
const FILE: &str = "infra/migrations/README.md";
const BEGIN: &str = "<!-- Written by `cargo xtask explain`: do not edit below. -->";
const END: &str = "<!-- Written by `cargo xtask explain`: do not edit above. -->";

/// The landlord who asks, with one property of a hundred.
const TENANT: &str = "asking-0";
const SHARE: i64 = 100;
/// The usual landlords have so many.
const USUAL: i64 = 20;
/// Every landlord of so many has methods of paying of his own: enough that reading all of them would be noticed.
const METHODS: i64 = 50_000;
/// Writes in the outbox.
const OUTBOX: i64 = 10_000;

/// Explains every statement at so many properties.
///
/// # Errors
/// When a plan reads a whole table.
pub fn write(stage: &Stage, rows: i64) -> Result<()> {
    let database = stage.database("explain")?;
    let mut client = Client::connect(&database, postgres::NoTls)?;
    eprintln!("==> {rows} properties");
    prepare(&mut client, rows)?;
    let settings = "ALTER DATABASE explain SET session_preload_libraries = 'auto_explain';
        ALTER DATABASE explain SET auto_explain.log_min_duration = 0;
        ALTER DATABASE explain SET auto_explain.log_analyze = on;
        ALTER DATABASE explain SET auto_explain.log_buffers = on;
        ALTER DATABASE explain SET auto_explain.log_nested_statements = on";
    // Asked once without: what the server reads for the first time, and the components at their start, is not told.
    let asks = requests(stage, &mut client)?;
    let api = stage.api("explain", &database, &[])?;
    once(api.address()?, stage.get("nobody", "/api/properties")?)?;
    drop(api);
    client.batch_execute(settings)?;
    let api = stage.api("explain", &database, &[])?;
    let mut text = String::new();
    for (title, ask) in asks {
        let plans = plans_of(stage, &api, ask).with_context(|| title.clone())?;
        ensure!(!plans.is_empty(), "{title}: PostgreSQL wrote no plan");
        let _ = write!(text, "\n### {title}\n");
        for plan in plans {
            let is_small = |line: &str| SMALL.iter().any(|table| line.contains(&format!("Seq Scan on {table}")));
            let is_whole = |line: &&str| line.contains("Seq Scan on") && !is_small(line);
            if let Some(line) = plan.lines().find(is_whole) {
                bail!("{title} reads a whole table: {}\n{plan}", line.trim());
            }
            let _ = write!(text, "\n```text\n{}\n```\n", plan.trim_end());
        }
    }
    let path = stack::repository_root().join(FILE);
    let file = std::fs::read_to_string(&path)?;
    let (before, rest) = file.split_once(BEGIN).context("the file has lost the line after which the plans stand")?;
    let (_, after) = rest.split_once(END).context("the file has lost the line before which the plans stand")?;
    let version: String = client.query_one("SHOW server_version", &[])?.get(0);
    let head = format!("\nAt {rows} properties, PostgreSQL {version}. No statement reads a whole table.\n");
    std::fs::write(&path, format!("{before}{BEGIN}\n{head}{text}\n{END}{after}"))?;
    eprintln!("==> {}", path.display());
    Ok(())
}

fn prepare(client: &mut Client, rows: i64) -> Result<()> {
    let own = rows / SHARE;
    seed::properties(client, "asking-", 1, own, 100)?;
    seed::properties(client, "usual-", (rows - own) / USUAL, rows - own, 100)?;
    let methods = "INSERT INTO payment_methods (tenant_id, name) SELECT 'usual-' || n, 'Own ' || n FROM generate_series(1, $1::bigint) n";
    client.execute(methods, &[&METHODS])?;
    // An outbox that PostgreSQL would not read as a whole, of writes that nobody takes for dead yet.
    let outbox = "INSERT INTO cache_invalidations (tenant_id, id, resources, created_at)
        SELECT 'usual-' || n, gen_random_uuid(), '{}', now() + interval '1 day' FROM generate_series(1, $1::bigint) n";
    client.execute(outbox, &[&OUTBOX])?;
    seed::payments(client, TENANT, 12)?;
    seed::settle(client)?;
    Ok(client.batch_execute("VACUUM (ANALYZE) payment_methods, cache_invalidations")?)
}

/// One request for each statement, in the order of the contract's table.
fn requests(stage: &Stage, client: &mut Client) -> Result<Vec<(String, Ask)>> {
    let row = client.query_one(
        "SELECT y.property_id::text, min(y.id::text), max(y.id::text) FROM payments y WHERE tenant_id = $1
        GROUP BY 1 ORDER BY 1 LIMIT 1",
        &[&TENANT],
    )?;
    let (property, payment, other): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let cash: String = client.query_one("SELECT id::text FROM payment_methods WHERE name = 'Cash'", &[])?.get(0);
    let (one, payments) = (format!("/api/properties/{property}"), format!("/api/properties/{property}/payments"));
    let address = r#"{"address":"1 Main Street"}"#;
    let rent = format!(r#"{{"amount":1,"paymentDate":"2025-03-01","paymentMethodId":"{cash}"}}"#);
    let list = "/api/properties?pageSize=50";
    let asked: Vec<(&str, Method, String, &str)> = vec![
        ("A page of properties", Method::GET, list.into(), ""),
        ("A page far from the start", Method::GET, format!("{list}&pageNumber=100"), ""),
        ("A page in another order", Method::GET, format!("{list}&sortField=weeklyRentAmount&sortDescending=true"), ""),
        ("A search", Method::GET, format!("{list}&searchTerm=abc"), ""),
        ("The first page by keyset", Method::GET, format!("{list}&after="), ""),
        ("A property", Method::GET, one.clone(), ""),
        ("A new property", Method::POST, "/api/properties".into(), address),
        ("A changed property", Method::PUT, one.clone(), address),
        ("A page of payments", Method::GET, payments.clone(), ""),
        ("A search among payments", Method::GET, format!("{payments}?searchTerm=abc"), ""),
        ("A payment", Method::GET, format!("{payments}/{payment}"), ""),
        ("A new payment", Method::POST, payments.clone(), &rent),
        ("A changed payment", Method::PUT, format!("{payments}/{payment}"), &rent),
        ("A deleted payment", Method::DELETE, format!("{payments}/{other}"), ""),
        ("The payment methods", Method::GET, "/api/paymentmethods".into(), ""),
        ("A deleted property, with its payments", Method::DELETE, one, ""),
    ];
    let authorization = stage.bearer(TENANT, None)?;
    let ask = |(title, method, target, body): (&str, Method, String, &str)| {
        let name = format!(
            "{title}: `{method} {}`",
            target.replace(&property, "{id}").replace(&payment, "{paymentId}").replace(&other, "{paymentId}")
        );
        (name, Ask { method, target, authorization: authorization.clone(), body: body.to_owned().into() })
    };
    Ok(asked.into_iter().map(ask).collect())
}

/// The plans that PostgreSQL writes while this is asked, what comes after the answer included.
fn plans_of(stage: &Stage, api: &Api, ask: Ask) -> Result<Vec<String>> {
    let is_write = ask.method != Method::GET;
    let log = || std::fs::read_to_string(stage.postgres_log()).context("PostgreSQL's log");
    let before = log()?.len();
    once(api.address()?, ask)?;
    // A write's last statement removes its row from the outbox, after the answer.
    for _ in 0..100 {
        let plans = parse(&log()?[before..]);
        if !plans.is_empty() && (!is_write || plans.iter().any(|plan| plan.contains("outbox_remove("))) {
            return Ok(plans);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bail!("the plans did not come: {:?}", parse(&log()?[before..]))
}

/// The plans in a part of the log. A message begins with a time, and its further lines are indented. Left out are those
/// without a text, which are expressions of SQL functions, once for each row, and the pool's reset between two users.
fn parse(log: &str) -> Vec<String> {
    let mut plans: Vec<String> = Vec::new();
    let mut in_plan = false;
    for line in log.lines() {
        match line.strip_prefix('\t') {
            Some(rest) if in_plan => {
                if let Some(plan) = plans.last_mut() {
                    plan.push_str(rest);
                    plan.push('\n');
                }
            }
            Some(_) => {}
            None => {
                in_plan = line.contains("LOG:  duration:") && line.ends_with("plan:");
                if in_plan {
                    plans.push(String::new());
                }
            }
        }
    }
    plans.retain(|plan| !plan.starts_with("Query Text: \n") && !plan.starts_with("Query Text: CLOSE ALL"));
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_found_among_other_messages() {
        let log = "2026-01-01 [1] x LOG:  duration: 0.1 ms  plan:\n\tQuery Text: SELECT 1\n\tResult\n\
                   2026-01-01 [1] x ERROR:  no\n\tDETAIL\n2026-01-01 [1] x LOG:  duration: 2 ms  plan:\n\tQuery Text: b\n\
                   2026-01-01 [1] x LOG:  duration: 2 ms  plan:\n\tQuery Text: \n\tResult\n";
        assert_eq!(parse(log), ["Query Text: SELECT 1\nResult\n", "Query Text: b\n"]);
    }
}
