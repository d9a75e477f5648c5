//! Writes: `PUT` of a property and `POST` of a payment, against PostgreSQL's own time for the same statement.

use std::sync::Arc;

use anyhow::{Context, Result};
use http::Method;

use super::throughput::Shared;
use super::{Size, once};
use crate::counters::{PAYMENTS, REPLACEMENTS, work};
use crate::load::{Ask, Limit, Next};
use crate::measure::{Spread, Subject, alternate};
use crate::report::{Report, Section, Target};
use crate::seed;
use crate::stage::Stage;

/// The landlord whose properties are written, and how many: each client has its own, so that none waits for another's row.
const TENANT: &str = "writer-0";
const PROPERTIES: i64 = 16;
/// What a write may add to PostgreSQL's own time, in milliseconds.
const ALLOWANCE: f64 = 2.0;

/// Measures.
pub fn measure(stage: &Stage, shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let mut client = shared.api.sql()?;
    seed::properties(&mut client, "writer-", 1, PROPERTIES, 500)?;
    let ids = seed::ids(&mut client, TENANT)?;
    let methods = once(&shared.api, stage.get(TENANT, "/api/paymentmethods")?)?;
    let method = methods[0]["id"].as_str().context("a payment method")?;
    let authorization = stage.bearer(TENANT, None)?;
    let property =
        r#"{"address":"1 Main Street","suburb":"Suburb","state":"NSW","weeklyRentAmount":512.5,"description":""#;
    let property = format!("{property}{}\"}}", "a description ".repeat(30));
    let payment = format!(r#"{{"amount":512.5,"paymentDate":"2025-03-01T00:00:00Z","paymentMethodId":"{method}"}}"#);
    let writes = |method: Method, suffix: &'static str, body: String| -> Next {
        let (ids, authorization) = (ids.clone(), authorization.clone());
        let body = bytes::Bytes::from(body);
        Arc::new(move |client, _| {
            let target = format!("/api/properties/{}{suffix}", ids[client % ids.len()]);
            Ask { method: method.clone(), target, authorization: authorization.clone(), body: body.clone() }
        })
    };
    let server = (shared.api.address()?, shared.api.host.pid());
    let subject = |name: &str, clients, next: Next| Subject::new(name, server, clients, Limit::For(size.round), next);
    let subjects = |clients: usize| {
        vec![
            subject("PUT property", clients, writes(Method::PUT, "", property.clone())),
            subject("POST payment", clients, writes(Method::POST, "/payments", payment.clone())),
        ]
    };
    let before = [work(&mut client, REPLACEMENTS)?, work(&mut client, PAYMENTS)?];
    let alone = alternate(size.rounds, subjects(1))?;
    let own = [work(&mut client, REPLACEMENTS)?.since(before[0]), work(&mut client, PAYMENTS)?.since(before[1])];
    let mut section = Section::of_series("Writes, one client", &alone);
    section.note(format!(
        "PostgreSQL's own time (pg_stat_statements, mean): {:.2} ms for a property, {:.2} ms for a payment, without \
         durability (fsync is off).",
        own[0].millis_each(),
        own[1].millis_each()
    ));
    report.section(section);
    for (series, own) in alone.iter().zip(own) {
        let p50 = series.p50();
        let [median, min, max] = [p50.median, p50.min, p50.max].map(|p50| p50 - own.millis_each());
        let name = format!("{}: p50 above PostgreSQL's own time, in ms", series.name);
        report.target(Target::at_most(&name, ALLOWANCE, Spread { median, min, max }));
    }
    let many = alternate(size.rounds, subjects(usize::try_from(PROPERTIES)?))?;
    report.section(Section::of_series("Writes, sixteen clients, each to a property of its own", &many));
    Ok(())
}
