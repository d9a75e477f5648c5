//! Alternating rounds, and what is said of them: medians with their minimum and maximum.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::load::{Answered, Kind, Limit, Next, Outcome, run};
use crate::process::Cpu;

/// The longest latency that is told apart, in microseconds: a minute.
const MAX_MICROS: u64 = 60_000_000;

/// A median, and how far the rounds were apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these values; of none it is zero.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first(), values.last()) else {
            return Spread { median: 0.0, min: 0.0, max: 0.0 };
        };
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Spread { median, min: *min, max: *max }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }
}

/// What is measured beside others.
pub struct Subject {
    /// Its name in the report.
    pub name: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// The process whose processor time is told.
    pub pid: u32,
    /// How many clients there are.
    pub connections: usize,
    /// When a round ends.
    pub limit: Limit,
    /// What is asked.
    pub next: Next,
    /// What goes before each round, outside of the measurement.
    pub prepare: Option<Box<dyn Fn() -> Result<()>>>,
    /// What the cache must have done for every answer; a benchmark of hits that are none says nothing.
    pub must_be: Option<Kind>,
}

impl Subject {
    /// A subject at this server, a process at an address, whose answers may be of any kind.
    pub fn new(name: &str, server: (SocketAddr, u32), connections: usize, limit: Limit, next: Next) -> Subject {
        let (address, pid) = server;
        Subject { name: name.into(), address, pid, connections, limit, next, prepare: None, must_be: None }
    }
}

/// One round of one subject.
struct Round {
    throughput: f64,
    p50: f64,
    p99: f64,
    /// Of one request.
    server_cpu: Cpu,
    generator_share: f64,
}

/// All rounds of one subject.
pub struct Series {
    /// The subject's name.
    pub name: String,
    rounds: Vec<Round>,
    /// Every latency of every round, in microseconds.
    pub latencies: Histogram<u64>,
}

impl Series {
    fn spread(&self, of: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(of))
    }

    /// Answers a second.
    pub fn throughput(&self) -> Spread {
        self.spread(|round| round.throughput)
    }

    /// The median latency, in milliseconds.
    pub fn p50(&self) -> Spread {
        self.spread(|round| round.p50)
    }

    /// The latency that one of a hundred exceeds, in milliseconds.
    pub fn p99(&self) -> Spread {
        self.spread(|round| round.p99)
    }

    /// The server's processor time for a request, in microseconds, in the modes that `of` picks.
    pub fn server_cpu(&self, of: fn(Cpu) -> f64) -> Spread {
        self.spread(|round| of(round.server_cpu))
    }

    /// How much more of it this series takes than `other`, round by round.
    pub fn server_cpu_beyond(&self, other: &Series, of: fn(Cpu) -> f64) -> Spread {
        let difference = |(one, other): (&Round, &Round)| of(one.server_cpu) - of(other.server_cpu);
        Spread::of(self.rounds.iter().zip(&other.rounds).map(difference))
    }

    /// How much of the machine the load generator took, from 0 to 1. Above a half it says more of itself than of the server.
    pub fn generator_share(&self) -> Spread {
        self.spread(|round| round.generator_share)
    }

    /// This series' throughput as a multiple of `other`'s, round by round.
    pub fn throughput_ratio(&self, other: &Series) -> Spread {
        self.ratio(other, |round| round.throughput)
    }

    /// The same for the latency that one of a hundred exceeds.
    pub fn p99_ratio(&self, other: &Series) -> Spread {
        self.ratio(other, |round| round.p99)
    }

    /// The same for the median latency.
    pub fn p50_ratio(&self, other: &Series) -> Spread {
        self.ratio(other, |round| round.p50)
    }

    /// How far the median latency is above `other`'s, in milliseconds.
    pub fn p50_above(&self, other: &Series) -> Spread {
        Spread::of(self.rounds.iter().zip(&other.rounds).map(|(one, other)| one.p50 - other.p50))
    }

    fn ratio(&self, other: &Series, of: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().zip(&other.rounds).map(|(one, other)| of(one) / of(other)))
    }

    /// As JSON, with percentiles of all rounds together.
    pub fn json(&self) -> Value {
        let percentile = |p: f64| millis(self.latencies.value_at_quantile(p));
        json!({
            "name": self.name,
            "requests_per_second": self.throughput().json(),
            "p50_ms": self.p50().json(),
            "p99_ms": self.p99().json(),
            "server_cpu_us_per_request": self.server_cpu(Cpu::both).json(),
            "server_kernel_us_per_request": self.server_cpu(|cpu| cpu.kernel).json(),
            "generator_share": self.generator_share().json(),
            "all_rounds_ms": {
                "p50": percentile(0.5), "p90": percentile(0.9), "p99": percentile(0.99), "p999": percentile(0.999),
                "max": millis(self.latencies.max()),
            },
        })
    }
}

/// The series of this name.
pub fn named<'a>(series: &'a [Series], name: &str) -> Result<&'a Series> {
    series.iter().find(|series| series.name == name).with_context(|| format!("{name} was not measured"))
}

/// Measures the subjects by turns, so that what disturbs the machine disturbs them alike.
pub fn alternate(rounds: usize, subjects: Vec<Subject>) -> Result<Vec<Series>> {
    let mut series = Vec::with_capacity(subjects.len());
    for subject in &subjects {
        series.push(Series { name: subject.name.clone(), rounds: Vec::new(), latencies: histogram(&[])? });
    }
    // One round more: the first warms up and is not counted.
    for round in 0..=rounds {
        for (subject, series) in subjects.iter().zip(&mut series) {
            let measured = measure(subject).with_context(|| subject.name.clone())?;
            if round > 0 {
                series.latencies.add(&measured.1)?;
                series.rounds.push(measured.0);
            }
        }
    }
    Ok(series)
}

fn measure(subject: &Subject) -> Result<(Round, Histogram<u64>)> {
    if let Some(prepare) = &subject.prepare {
        prepare()?;
    }
    let cpu = Cpu::of(subject.pid)?;
    let outcome = run(subject.address, subject.connections, subject.limit, subject.next.clone())?;
    let cpu_after = Cpu::of(subject.pid)?;
    anyhow::ensure!(!outcome.answered.is_empty(), "nothing was answered");
    if let Some(kind) = subject.must_be {
        let mut other = BTreeMap::<Kind, usize>::new();
        for answered in outcome.answered.iter().filter(|answered| answered.kind != kind) {
            *other.entry(answered.kind).or_default() += 1;
        }
        // An entry may end its life in the middle of a round, and be read once by each of those who ask then.
        let few = outcome.answered.len() / 100 + subject.connections;
        let is_as_wanted = other.values().sum::<usize>() <= few;
        anyhow::ensure!(
            is_as_wanted,
            "of {} answers that must be {kind:?} some were not: {other:?}",
            outcome.answered.len()
        );
    }
    let latencies = histogram(&outcome.answered)?;
    let count = outcome.answered.len() as f64;
    let round = Round {
        throughput: count / outcome.elapsed.as_secs_f64(),
        p50: millis(latencies.value_at_quantile(0.5)),
        p99: millis(latencies.value_at_quantile(0.99)),
        server_cpu: cpu_after.of_each(cpu, count),
        generator_share: generator_share(&outcome),
    };
    Ok((round, latencies))
}

/// How much of the machine the generator took.
pub fn generator_share(outcome: &Outcome) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    outcome.own_cpu.as_secs_f64() / (outcome.elapsed.as_secs_f64() * processors)
}

/// The latencies of these, in microseconds.
pub fn histogram<'a>(answered: impl IntoIterator<Item = &'a Answered>) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, MAX_MICROS, 3)?;
    for answered in answered {
        histogram.saturating_record(u64::from(answered.micros));
    }
    Ok(histogram)
}

/// Microseconds as milliseconds.
pub fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_the_ends() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of([]), Spread { median: 0.0, min: 0.0, max: 0.0 });
    }

    fn series(rounds: &[(f64, Cpu)]) -> Series {
        let round = |(throughput, server_cpu): &(f64, Cpu)| Round {
            throughput: *throughput,
            p50: 1.0,
            p99: 1.0,
            server_cpu: *server_cpu,
            generator_share: 0.0,
        };
        let latencies = histogram(&[]).expect("a histogram");
        Series { name: String::new(), rounds: rounds.iter().map(round).collect(), latencies }
    }

    #[test]
    fn ratios_are_those_of_rounds_that_were_side_by_side() {
        let of = |throughputs: [f64; 2]| series(&throughputs.map(|throughput| (throughput, Cpu::default())));
        // Twice as fast in every round, though the machine was three times as slow in the second.
        let ratio = of([600.0, 200.0]).throughput_ratio(&of([300.0, 100.0]));
        assert_eq!(ratio, Spread { median: 2.0, min: 2.0, max: 2.0 });
    }

    #[test]
    fn differences_of_processor_time_are_those_of_rounds_that_were_side_by_side() {
        let of = |cpus: [(f64, f64); 2]| series(&cpus.map(|(user, kernel)| (1.0, Cpu { user, kernel })));
        let (slow, fast) = (of([(50.0, 20.0), (90.0, 40.0)]), of([(30.0, 10.0), (70.0, 20.0)]));
        assert_eq!(slow.server_cpu_beyond(&fast, |cpu| cpu.user), Spread { median: 20.0, min: 20.0, max: 20.0 });
        assert_eq!(slow.server_cpu_beyond(&fast, Cpu::both), Spread { median: 35.0, min: 30.0, max: 40.0 });
    }
}
