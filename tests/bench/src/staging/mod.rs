//! `cargo xtask load`: a load on a host that runs somewhere else, as the generator and the report of the benchmark do it.
//!
//! It spoils no data: it writes to properties alone that it has made itself, and these are deleted at the end, also when it is
//! interrupted.

mod progress;
mod properties;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use load_plan::Plan;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::load::{Client, Open, Outcome, Schedule, Server, Tally};
use crate::measure::generator_share;
use crate::report::{Report, Section};
use crate::results;
use crate::workload::Workload;
use properties::{Landlord, Mark, Session};

const ABOUT: &str = "An open load: requests are sent when they are due, and latencies count from then, so that what waited for a \
    slow answer is as slow as its user would have found it. They include the way to the host and back.";
/// In which order properties are popular, and what is asked: the same in every load.
const SEED: u64 = 8;

/// Carries the plan out.
///
/// # Errors
/// When it cannot begin, when its own properties could not be deleted, or when a request has failed and none may.
pub fn run(plan: &Plan) -> Result<()> {
    let destination = plan.destination()?;
    let server = Server::at(&destination, plan.ca_file.as_deref())?;
    let stop = stop_on_signals()?;
    let mut session = Session(Client::new(server.clone()));
    let landlords: Vec<Landlord> = plan.tokens.iter().map(|token| session.landlord(token)).collect::<Result<_>>()?;
    let mark = Mark::new();
    let loaded = load(plan, server, &mut session, &landlords, &mark, &stop);
    // Whatever has become of the load.
    let removed = session.remove(&landlords, &mark);
    let (outcome, tally) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return removed.and(Err(error)),
    };
    let report = report(plan, &outcome, &tally, stop.load(Ordering::SeqCst))?;
    print!("{}", report.table());
    let out = plan.out.clone().unwrap_or_else(default_out);
    report.write(&out).with_context(|| format!("cannot write the report to {}", out.display()))?;
    removed?;
    verdict(&tally, plan.allow_failures)
}

/// An error if a request has failed and none may, or if all have. Targets that are missed are told, and are no failure: what
/// else the host and the way to it have to do is part of them.
fn verdict(tally: &Tally, may_fail: bool) -> Result<()> {
    let failed = tally.failed();
    ensure!(failed == 0 || failed < tally.due, "no request was answered: {}", named(tally));
    ensure!(
        failed == 0 || may_fail,
        "{failed} of {} requests failed: {} (--allow-failures ends well all the same)",
        tally.due,
        named(tally)
    );
    Ok(())
}

fn load(
    plan: &Plan,
    server: Server,
    session: &mut Session,
    landlords: &[Landlord],
    mark: &Mark,
    stop: &Arc<AtomicBool>,
) -> Result<(Outcome, Tally)> {
    let mut properties = Vec::new();
    for landlord in landlords {
        if plan.existing {
            properties.extend(session.existing(landlord)?);
        }
        properties.extend(session.make(landlord, plan.properties, mark, stop)?);
    }
    // Otherwise the first landlord's were the popular ones, and behind them the last one's own.
    properties.shuffle(&mut StdRng::seed_from_u64(SEED));
    say(format!(
        "{} requests a second for {} s, on {} properties over {} connections",
        plan.rate,
        plan.duration.as_secs(),
        properties.len(),
        plan.clients
    ));
    let (read_share, exponent, street) = (plan.read_share, plan.zipf, mark.to_string());
    let next = Workload { properties, read_share, exponent, street, seed: SEED }.requests()?;
    let schedule = Schedule::new(plan.rate, plan.duration);
    let open = Open { server, connections: plan.clients.into(), schedule, next, stop: stop.clone() };
    let rate = plan.rate;
    open.run(|second, answered, failed, waiting| {
        eprintln!("{}", progress::line(second, rate, answered, failed, waiting));
    })
}

fn report(plan: &Plan, outcome: &Outcome, tally: &Tally, is_interrupted: bool) -> Result<Report> {
    let (answered, failed) = (outcome.answered.len(), tally.failed());
    let reached = (answered as u64 + failed) as f64 / outcome.elapsed.as_secs_f64();
    let mut report = Report::new("load test", ABOUT);
    report.fact("host", &plan.base_url);
    report.fact("load", format!("{} requests a second for {} s", plan.rate, plan.duration.as_secs()));
    report.fact("workload", format!("{} reads, Zipf's exponent {}", share(plan.read_share), plan.zipf));
    report.fact("landlords", plan.tokens.len().to_string());
    report.fact("properties of its own", format!("{} a landlord, deleted at the end", plan.properties));
    report.fact("read besides", if plan.existing { "all that were there" } else { "nothing" });
    report.fact("connections", plan.clients.to_string());
    let mut section = results::by_result(&mut report, "Load", "By result", &outcome.answered)?;
    let ended = if is_interrupted { ", interrupted" } else { "" };
    section.note(format!(
        "{} requests came due in {:.1} s{ended}: {answered} were answered with success, {failed} failed; {reached:.1} a second.",
        tally.due,
        outcome.elapsed.as_secs_f64()
    ));
    section.generator("the load", generator_share(outcome));
    section.add("due", tally.due);
    section.add("answered", answered);
    section.add("failed", failed);
    section.add("interrupted", is_interrupted);
    section.add("requests_per_second", reached);
    report.section(section);
    report.section(failures(tally));
    Ok(report)
}

fn failures(tally: &Tally) -> Section {
    let row = |(name, (count, first)): (&String, &(u64, String))| vec![name.clone(), count.to_string(), first.clone()];
    let rows: Vec<Vec<String>> = tally.failures.iter().map(row).collect();
    let is_clean = rows.is_empty();
    let mut section = Section::new("Failures", ["failure", "requests", "the first"].map(str::to_owned).to_vec(), rows);
    if is_clean {
        section.note("No request failed.");
    }
    let counts: BTreeMap<&String, u64> = tally.failures.iter().map(|(name, (count, _))| (name, *count)).collect();
    section.data(json!(counts));
    section
}

fn named(tally: &Tally) -> String {
    let one = |(name, (count, first)): (&String, &(u64, String))| format!("{name} ×{count}, as {first}");
    tally.failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn share(of: f64) -> String {
    format!("{:.0} %", 100.0 * of)
}

fn default_out() -> PathBuf {
    stack::repository_root().join("target/load")
}

/// The first signal ends the load, with its report and without its properties; the same one again ends us at once. Another one
/// does not: xtask hands on what has reached it, and on Ctrl-C we have it from the terminal as well.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let came = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(signal, 1, came.clone())?;
        signal_hook::flag::register(signal, came)?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

fn say(text: impl AsRef<str>) {
    eprintln!("==> {}", text.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(due: u64, failures: &[(&str, u64)], may_fail: bool) -> String {
        let failures =
            failures.iter().map(|(name, count)| ((*name).to_owned(), (*count, "GET /x".to_owned()))).collect();
        let tally = Tally { answered: Vec::new(), failures, due };
        verdict(&tally, may_fail).map_or_else(|error| error.to_string(), |()| "well".into())
    }

    #[test]
    fn a_failed_request_fails_the_load_unless_it_may() {
        assert_eq!(said(10, &[], false), "well");
        assert_eq!(said(10, &[("503", 2), ("no answer", 1)], true), "well");
        let refused = said(10, &[("503", 2), ("no answer", 1)], false);
        assert!(refused.starts_with("3 of 10 requests failed: 503 ×2, as GET /x; no answer ×1"), "{refused}");
        assert!(said(10, &[("503", 10)], true).starts_with("no request was answered"));
    }
}
