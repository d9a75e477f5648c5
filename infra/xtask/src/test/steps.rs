//! The steps of `cargo xtask test`, told while they are done, and reported at the end.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use serde::Serialize;

use crate::report::Report;
use crate::shell::{check_interrupted, interrupted, say};

/// Tells what is done and how long it took.
pub struct Steps {
    begun: Instant,
    done: Vec<Step>,
}

/// A step that came to its end.
#[derive(Serialize)]
struct Step {
    name: &'static str,
    passed: bool,
    seconds: f64,
}

/// A run of the steps.
#[derive(Serialize)]
pub struct Tested {
    passed: bool,
    seconds: f64,
    /// The last of them failed, if the run did.
    steps: Vec<Step>,
    /// Why it failed, with each cause.
    problem: Option<String>,
    #[serde(skip)]
    error: Option<Error>,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps { begun: Instant::now(), done: Vec::new() }
    }
}

impl Steps {
    /// Does a step.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        check_interrupted()?;
        let number = self.done.len() + 1;
        say(format!("[{number}] {name}"));
        let begun = Instant::now();
        let result = work();
        let took = begun.elapsed();
        if result.is_ok() || !interrupted() {
            let how = if result.is_ok() { "passed in" } else { "FAILED after" };
            say(format!("[{number}] {name}: {how} {}", shown(took)));
        }
        self.done.push(Step { name, passed: result.is_ok(), seconds: took.as_secs_f64() });
        result.with_context(|| format!("{name} did not pass"))
    }

    /// What came of all of them. What is refused before the first step is no run.
    pub fn report(self, ended: Result<()>) -> Result<Tested> {
        if self.done.is_empty() {
            ended?;
            bail!("no step was run");
        }
        let error = ended.err();
        let problem = error.as_ref().map(|error| format!("{error:#}"));
        let seconds = self.begun.elapsed().as_secs_f64();
        Ok(Tested { passed: error.is_none(), seconds, steps: self.done, problem, error })
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.steps.iter().filter(|step| step.passed).count();
        let took = shown(Duration::from_secs_f64(self.seconds));
        match self.passed {
            true => write!(f, "all {passed} steps passed in {took}"),
            false => write!(f, "{passed} steps passed in {took}, and the run did not"),
        }
    }
}

impl Report for Tested {
    fn verdict(self) -> Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_a_person_says_them() {
        let check = |millis: u64, expected: &str| assert_eq!(shown(Duration::from_millis(millis)), expected);
        check(40, "0.0 s");
        check(12_340, "12.3 s");
        check(59_999, "59.9 s");
        check(61_000, "1 min 1 s");
    }

    #[test]
    fn the_first_failing_step_ends_the_run_and_is_in_its_report() {
        let mut steps = Steps::default();
        steps.step("one", || Ok(())).expect("passes");
        let ended = steps.step("two", || bail!("broken"));
        let mut tested = steps.report(ended).expect("a report");
        assert!(tested.to_string().starts_with("1 steps passed in "), "{tested}");
        tested.seconds = 2.5;
        tested.steps.iter_mut().for_each(|step| step.seconds = 1.25);
        let expected = serde_json::json!({
            "passed": false, "seconds": 2.5, "problem": "two did not pass: broken",
            "steps": [
                { "name": "one", "passed": true, "seconds": 1.25 },
                { "name": "two", "passed": false, "seconds": 1.25 },
            ],
        });
        crate::report::tests::check("test", &tested, expected);
        assert_eq!(format!("{:#}", tested.verdict().expect_err("it failed")), "two did not pass: broken");
    }

    #[test]
    fn a_run_that_is_refused_has_no_report() {
        let error = Steps::default().report(Err(anyhow::anyhow!("no spin"))).err().expect("an error");
        assert_eq!(error.to_string(), "no spin");
    }
}
