//! What `cargo xtask up` says before it works: each step, and about how long it takes.

use std::fmt::Write as _;

use anyhow::Result;
use stack::Runtime;

use crate::tools::{self, Server};
use crate::wasm::Toolchain;
use crate::{assets, build};

/// A step, with its times as they were on a machine with 2 cores.
struct Step {
    what: String,
    first: &'static str,
    /// Nothing for what is done only once.
    later: Option<&'static str>,
    was_done: bool,
}

/// The steps that this machine needs, in their order, as lines.
pub fn plan(servers: &[Server], runtime: Runtime, has_database: bool) -> Result<String> {
    let mut steps = Vec::new();
    let missing = tools::missing(servers);
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|server| server.package()).collect();
        let what = format!("install {}", names.join(" and "));
        steps.push(Step { what, first: "15 to 30 s", later: None, was_done: false });
    }
    if !Toolchain::is_ready() {
        let what = "install a compiler for WebAssembly".to_owned();
        steps.push(Step { what, first: "1 min", later: None, was_done: false });
    }
    if !assets::are_ready() {
        let what = "install what the console and the reference have built in, with Node.js".to_owned();
        steps.push(Step { what, first: "30 s", later: None, was_done: false });
    }
    let (what, was_done) = ("build the components".to_owned(), build::has_components(runtime.edition())?);
    steps.push(Step { what, first: "2 min", later: Some("a few seconds"), was_done });
    if runtime == Runtime::Embedded {
        let (what, was_done) = ("build the embedded host".to_owned(), build::has_host());
        steps.push(Step { what, first: "6 to 12 min", later: Some("a few seconds"), was_done });
    }
    let what = "start the servers, with the schema and the demo".to_owned();
    steps.push(Step { what, first: "10 s", later: Some("5 s"), was_done: has_database });
    Ok(lines(&steps))
}

fn lines(steps: &[Step]) -> String {
    let width = steps.iter().map(|step| step.what.chars().count()).max().unwrap_or(0);
    let mut text = "what happens now, and about how long it takes on 2 cores:".to_owned();
    for (number, Step { what, first, later, was_done }) in steps.iter().enumerate() {
        let time = match (later, was_done) {
            (Some(later), true) => format!("{later} ({first} the first time)"),
            (Some(later), false) => format!("{first} ({later} the next time)"),
            (None, _) => format!("{first}, once"),
        };
        let _ = write!(text, "\n    {}. {what:width$}  {time}", number + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_its_time_now_and_that_of_the_other_case() {
        let step = |what: &str, later, was_done| Step { what: what.into(), first: "2 min", later, was_done };
        let steps =
            [step("install", None, false), step("build", Some("5 s"), false), step("start it", Some("1 s"), true)];
        assert_eq!(
            lines(&steps),
            "what happens now, and about how long it takes on 2 cores:\n    \
             1. install   2 min, once\n    \
             2. build     2 min (5 s the next time)\n    \
             3. start it  1 s (2 min the first time)"
        );
    }

    #[test]
    fn only_what_this_machine_needs_is_planned() {
        let with_host = plan(&[], Runtime::Embedded, true).expect("a plan");
        let without = plan(&[], Runtime::Spin, true).expect("a plan");
        assert!(with_host.contains("build the embedded host") && !without.contains("host"), "{without}");
        assert!(!with_host.contains("redis-server"), "no server was asked for: {with_host}");
    }
}
