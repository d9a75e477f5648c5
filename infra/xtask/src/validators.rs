//! The product's own answers, many amounts of money among them, held to its OpenAPI document by two validators that others use:
//! ajv (JavaScript) and jsonschema (Python). Both reckon in binary floats, as most readers of JSON do.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::Host;
use ureq::Agent;

use crate::scene::Servers;
use crate::shell::{output, say};
use crate::{demo, npm, python};

/// The script for ajv, and the packages that it needs: pinned with all they need, by version and hash.
const SCRIPTS: &str = "infra/xtask/validators";
const INSTALLED: &str = "target/tools/validators";
const PYTHON_SCRIPT: &str = "infra/xtask/python/validate.py";

/// Longer than any deadline of the system.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest page.
const PAGE_SIZE: usize = 50;
/// A property of `$1` with payments of many amounts: each of the first ten thousand in cents, the hundred at each bound and at
/// the largest that a binary float counts in cents and in whole numbers (2^53), and three thousand of any size.
const AMOUNTS: &str = "
WITH amounts AS (
    SELECT n / 100.0 AS amount FROM generate_series(0, 9999) AS n
    UNION SELECT sign * (bound - n / 100.0) FROM generate_series(0, 99) AS n, (VALUES (1), (-1)) AS signs (sign),
        (VALUES (9999999999999999.99), (9007199254740993.99), (90071992547409.99)) AS bounds (bound)
    UNION SELECT sign * (('x' || substr(md5(n::text), 1, 15))::bit(60)::bigint % power(10::numeric, n % 17 + 2)) / 100
        FROM generate_series(1, 3000) AS n, (VALUES (1), (-1)) AS signs (sign) WHERE n % 2 = (sign + 1) / 2
), property AS (
    INSERT INTO properties (tenant_id, id, address, weekly_rent_amount)
    VALUES ($1, gen_random_uuid(), '1 Money St', 9999999999999999.99) RETURNING id
), made AS (
    INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, payment_method_id)
    SELECT $1, gen_random_uuid(), property.id, round(amount, 2),
        timestamptz '0001-01-01Z' + row_number() OVER () * interval '21 days 1 second 1 microsecond', m.tenant_id, m.id
    FROM amounts, property, (SELECT * FROM payment_methods WHERE name = 'Cash') AS m
    RETURNING 1
)
SELECT id::text, (SELECT count(*) FROM made) FROM property";

/// Holds the answers of `host` to its document.
pub fn check(servers: &Servers, host: &Host) -> Result<()> {
    let folder = servers.folder().join("validators");
    std::fs::create_dir_all(&folder)?;
    let (document, answers) = (folder.join("openapi.json"), folder.join("answers.ndjson"));
    let mut collector = Collector::new(servers, host, &answers)?;
    let text = collector.ask("get", "/api/openapi.json", "/api/openapi.json", None, None)?.body;
    std::fs::write(&document, &text)?;
    let amounts = collector.collect(servers)?;
    collector.file.flush()?;

    let validators = [Validator::ajv()?, Validator::jsonschema()?];
    for validator in &validators {
        let told = validator.run(&document, &answers)?;
        say(format!("{told}, {amounts} amounts of money among them"));
    }
    // A validator that lets everything pass would be no check, nor one that looks at no number, time or format.
    let money = "\"format\": \"decimal\",";
    ensure!(text.matches(money).count() == 1, "the document has no Money any more");
    for (what, wrong) in [
        ("a step of 0.01 in binary floats", text.replace(money, "\"format\": \"decimal\", \"multipleOf\": 0.01,")),
        (
            "a bound that is left out",
            text.replace("\"maximum\": 9999999999999999.99", "\"exclusiveMaximum\": 9999999999999999.99"),
        ),
        ("another type", text.replace("\"type\": \"number\",\n    \"format\": \"decimal\"", "\"type\": \"string\"")),
        ("a time that is none", text.replace("\"format\": \"uuid\"", "\"format\": \"date-time\"")),
    ] {
        ensure!(wrong != text, "the document has changed: {what}");
        std::fs::write(&document, &wrong)?;
        for validator in &validators {
            ensure!(validator.run(&document, &answers).is_err(), "{} does not notice {what}", validator.name);
        }
    }
    Ok(())
}

struct Validator {
    name: &'static str,
    command: [PathBuf; 2],
}

impl Validator {
    fn ajv() -> Result<Validator> {
        let folder =
            npm::install(SCRIPTS, INSTALLED, &["validate.mjs"], "it checks answers against the API's document")?;
        Ok(Validator { name: "ajv", command: [npm::node()?, folder.join("validate.mjs")] })
    }

    fn jsonschema() -> Result<Validator> {
        let script = stack::repository_root().join(PYTHON_SCRIPT);
        Ok(Validator { name: "jsonschema", command: [python::tools()?.join("python"), script] })
    }

    /// What it says; an error if it refuses an answer.
    fn run(&self, document: &Path, answers: &Path) -> Result<String> {
        let [program, script] = &self.command;
        output(Command::new(program).arg(script).arg(document).arg(answers))
    }
}

/// Asks, and writes down what was answered.
struct Collector {
    agent: Agent,
    base_url: String,
    token: String,
    file: BufWriter<File>,
}

struct Answer {
    status: u16,
    body: String,
}

impl Collector {
    fn new(servers: &Servers, host: &Host, answers: &Path) -> Result<Collector> {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        let token = format!("Bearer {}", servers.token(demo::TENANTS[1], Some("Admin"))?);
        let file = BufWriter::new(File::create(answers)?);
        Ok(Collector { agent: config.build().into(), base_url: host.base_url().into(), token, file })
    }

    /// Sends a request to `target`, which the document calls `path`, with a header besides, if there is one.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        target: &str,
        body: Option<&Value>,
        header: Option<(&str, &str)>,
    ) -> Result<Answer> {
        let request = ureq::http::Request::builder().method(method.to_uppercase().as_str());
        let request = request.uri(format!("{}{target}", self.base_url)).header("Authorization", &self.token);
        let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = match body {
            Some(body) => self.agent.run(request.header("Content-Type", "application/json").body(body.to_string())?),
            None => self.agent.run(request.body(())?),
        };
        let mut response = response.with_context(|| format!("{method} {target}"))?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let answer = Answer { status: response.status().as_u16(), body: response.body_mut().read_to_string()? };
        if let Some(kind) = kind.filter(|kind| kind.contains("json")) {
            let line = json!({ "path": path, "method": method, "status": answer.status.to_string(), "type": kind, "body": answer.body });
            writeln!(self.file, "{line}")?;
        }
        Ok(answer)
    }

    /// Asks for one answer at least of each schema, and for every amount; how many these are.
    fn collect(&mut self, servers: &Servers) -> Result<usize> {
        const PAYMENTS: &str = "/api/properties/{propertyId}/payments";
        let mut sql = stack::connect(&servers.database_url())?;
        let row = sql.query_one(AMOUNTS, &[&demo::TENANTS[1]])?;
        let (property, amounts) = (row.get::<_, String>(0), usize::try_from(row.get::<_, i64>(1))?);
        let payments = format!("/api/properties/{property}/payments");
        let (mut seen, mut cursor) = (0, String::new());
        loop {
            let target = format!("{payments}?after={cursor}&pageSize={PAGE_SIZE}");
            let page: Value = serde_json::from_str(&self.ask("get", PAYMENTS, &target, None, None)?.body)?;
            seen += page["items"].as_array().map_or(0, Vec::len);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        ensure!(seen == amounts, "of {amounts} amounts {seen} were answered");

        let single = format!("/api/properties/{property}");
        let (list, one, payment) =
            ("/api/properties", "/api/properties/{id}", "/api/properties/{propertyId}/payments/{paymentId}");
        let whole = json!({
            "address": "1 Main St", "suburb": "\u{1f3e0}", "weeklyRentAmount": -0.01, "leaseStartDate": "0001-01-01",
            "leaseEndDate": "9999-12-31T23:59:59.9999999Z", "description": "x"
        });
        let paid =
            json!({ "amount": 1.1, "paymentDate": "2024-01-01T10:00+10:00", "paymentMethod": "Cash", "notes": "x" });
        let made = self.ask("post", PAYMENTS, &payments, Some(&paid), None)?;
        let made: Value = serde_json::from_str(&made.body)?;
        let made = format!("{payments}/{}", made["id"].as_str().context("a payment")?);
        let stale = Some(("If-Match", "\"99\""));
        let (breaker, drain) = ("/api/cache/breaker", "/api/cache/drain");
        for (method, path, target, body, header, status) in [
            ("get", list, list, None, None, 200),
            ("get", list, "/api/properties?after=", None, None, 200),
            ("get", list, "/api/properties?pageNumber=99", None, None, 200),
            ("get", list, "/api/properties?pageSize=x", None, None, 400),
            ("get", list, list, None, stale, 412),
            ("post", list, list, Some(&whole), None, 201),
            ("post", list, list, Some(&json!({})), None, 400),
            ("post", list, list, Some(&whole), stale, 412),
            ("get", one, &single, None, None, 200),
            ("get", one, &single, None, stale, 412),
            ("get", one, "/api/properties/x", None, None, 404),
            ("put", one, &single, Some(&whole), None, 200),
            ("put", one, &single, Some(&whole), stale, 412),
            ("put", one, &single, Some(&json!({ "address": "x", "rowVersion": 99 })), None, 409),
            ("get", PAYMENTS, &payments, None, None, 200),
            ("get", payment, &made, None, None, 200),
            ("put", payment, &made, Some(&json!({})), None, 400),
            ("get", "/api/paymentmethods", "/api/paymentmethods", None, None, 200),
            ("get", "/api/health", "/api/health", None, None, 200),
            ("get", "/api/health", "/api/health", None, Some(("Authorization", "x")), 400),
            ("get", breaker, breaker, None, None, 200),
            ("put", breaker, breaker, Some(&json!({ "mode": "auto" })), None, 200),
            ("post", drain, drain, None, None, 200),
            (
                "post",
                "/api/cache/warm",
                "/api/cache/warm",
                Some(&json!({ "tenants": [demo::TENANTS[0]], "limit": 2 })),
                None,
                200,
            ),
            ("post", "/api/cache/verify", "/api/cache/verify", Some(&json!({ "sample": 2 })), None, 200),
            ("delete", "/api/cache", "/api/cache?pattern=property:*", None, None, 200),
        ] {
            let answer = self.ask(method, path, target, body, header)?;
            ensure!(answer.status == status, "{method} {target} is answered with {}: {}", answer.status, answer.body);
        }
        Ok(amounts)
    }
}
