//! How long trials and starts of hosts take: printed at the end of a run, asserted by nothing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many of the longest trials are printed.
const SHOWN: usize = 25;

static TRIALS: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());
static STARTS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// Notes how long something takes when it is dropped, so that what panics is noted too.
struct Note<'a> {
    trial: &'a str,
    begun: Instant,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        let mut trials = TRIALS.lock().unwrap_or_else(PoisonError::into_inner);
        trials.push((self.trial.to_owned(), self.begun.elapsed()));
    }
}

/// Runs a trial.
pub fn of_trial(trial: &str, run: fn()) {
    let _note = Note { trial, begun: Instant::now() };
    run();
}

/// Starts a host.
pub fn of_start<T>(start: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let started = start();
    STARTS.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
    started
}

/// Prints the longest trials, and what the starts of hosts took.
pub fn print() {
    let mut trials = TRIALS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    trials.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    println!("the longest of {} trials:", trials.len());
    for (trial, time) in trials.iter().take(SHOWN) {
        println!("  {:6.1} s  {trial}", time.as_secs_f64());
    }
    let starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let total: Duration = starts.iter().sum();
    println!("{} hosts of trials' own started in {:.1} s altogether", starts.len(), total.as_secs_f64());
}
