//! `cargo xtask test --matrix`: the core suites over the versions of Redis and PostgreSQL that the registries carry, with
//! and without a pooler.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::packages::WITH_END_TO_END_TESTS;
use crate::servers::{self, PostgresServer, RedisServer};
use crate::shell::{cargo, check_interrupted, output, run, say};

/// What depends on the servers, as `tests/e2e/suites.rs` has it.
const SUITES: &str = "servers";
/// Where each cell's output is kept.
const LOGS: &str = "target/matrix";
/// Where the table stands, and between which lines.
const FILE: &str = "infra/deploy/README.md";
const BEGIN: &str = "<!-- Written by `cargo xtask test --matrix`: do not edit below. -->";
const END: &str = "<!-- Written by `cargo xtask test --matrix`: do not edit above. -->";

/// One combination.
struct Cell<'a> {
    redis: &'a RedisServer,
    postgres: &'a PostgresServer,
    is_pooled: bool,
}

/// What came of one.
struct Outcome {
    passed: u32,
    failed: Vec<String>,
    ignored: u32,
    /// Whether the run came to its end, and nothing was left over.
    is_whole: bool,
    time: Duration,
}

/// Runs every cell, whatever the others come to, and writes the table.
pub fn run_all(suites: Option<&str>) -> Result<()> {
    let suites = suites.unwrap_or(SUITES);
    let (redis, postgres, pooler) = (servers::redis()?, servers::postgres()?, servers::pooler()?);
    run(cargo().arg("test").args(WITH_END_TO_END_TESTS).args(["--test", "e2e", "--no-run"]))?;
    let logs = stack::repository_root().join(LOGS);
    std::fs::create_dir_all(&logs)?;
    let mut rows = Vec::new();
    for cell in cells(&redis, &postgres) {
        check_interrupted()?;
        let name = cell.name(&pooler);
        say(format!("{name} …"));
        let outcome = cell.run(suites, &logs.join(format!("{}.log", name.replace([' ', ','], "-"))))?;
        say(format!("{name}: {}", outcome.told()));
        rows.push((cell, outcome));
    }
    write(&table(suites, &rows, &pooler))?;
    let bad = rows.iter().filter(|(_, outcome)| !outcome.is_good()).count();
    if bad > 0 {
        bail!("{bad} of {} cells did not pass; their output is in {LOGS}", rows.len());
    }
    Ok(())
}

/// Every Redis with every PostgreSQL. The pooler goes with half of them, so that it has met each Redis and each PostgreSQL, and
/// each has been met without it: a pooler and a Redis do not know of each other, so what two of the three do to each other
/// is seen in half of the sixteen cells.
fn cells<'a>(redis: &'a [RedisServer], postgres: &'a [PostgresServer]) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    for (row, redis) in redis.iter().enumerate() {
        for (column, postgres) in postgres.iter().enumerate() {
            cells.push(Cell { redis, postgres, is_pooled: (row + column) % 2 == 1 });
        }
    }
    cells
}

impl Cell<'_> {
    fn name(&self, pooler: &str) -> String {
        let with = if self.is_pooled { format!(", {pooler}") } else { String::new() };
        format!("{}, {}{with}", self.redis.name, self.postgres.name)
    }

    fn run(&self, suites: &str, log: &Path) -> Result<Outcome> {
        let mut command = cargo();
        command.args(["test", "--quiet"]).args(WITH_END_TO_END_TESTS);
        command.args(["--test", "e2e"]);
        command.env("RENTTRACKER_SUITES", suites);
        command.env(stack::REDIS_SERVER, &self.redis.program).env(stack::POSTGRES_PROGRAMS, &self.postgres.programs);
        if self.is_pooled {
            command.env("RENTTRACKER_POOLER", "pgbouncer");
        }
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        let begun = Instant::now();
        let ended = run(&mut command);
        check_interrupted()?;
        let text = std::fs::read_to_string(log)?;
        Ok(outcome(&text, ended.is_ok(), begun.elapsed()))
    }
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.is_whole && self.failed.is_empty() && self.passed > 0
    }

    fn told(&self) -> String {
        let Outcome { passed, failed, ignored, time, .. } = self;
        let whole = if self.is_whole || !failed.is_empty() { "" } else { ", NOT WHOLE" };
        format!("{passed} passed, {} failed, {ignored} left out{whole}, {} s", failed.len(), time.as_secs())
    }
}

/// From what the run wrote: its last line that begins with `test result:`, and the names below `failures:`.
fn outcome(text: &str, is_whole: bool, time: Duration) -> Outcome {
    let result = text.lines().rfind(|line| line.starts_with("test result:")).unwrap_or_default();
    let count = |what: &str| {
        let part = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
        part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    let list = text.rsplit_once("\nfailures:\n").map_or("", |(_, list)| list);
    let failed = list.lines().map_while(|line| line.strip_prefix("    ").map(str::to_owned)).collect();
    Outcome { passed: count("passed"), failed, ignored: count("ignored"), is_whole, time }
}

fn table(suites: &str, rows: &[(Cell<'_>, Outcome)], pooler: &str) -> String {
    let date = output(std::process::Command::new("date").args(["-u", "+%Y-%m-%d"])).unwrap_or_default();
    let mut text = format!(
        "\nOn {date}, with `RENTTRACKER_SUITES={suites}` (`tests/e2e/suites.rs`) in each cell.\n\n\
         | Redis | PostgreSQL | Pooler | Passed | Failed | Left out | Time |\n|---|---|---|---|---|---|---|\n",
    );
    for (cell, outcome) in rows {
        let Outcome { passed, failed, ignored, time, .. } = outcome;
        let failed = match failed.as_slice() {
            [] if outcome.is_good() => "0".to_owned(),
            [] => "not whole".to_owned(),
            names => format!("{}: {}", names.len(), names.join(", ")),
        };
        let with = if cell.is_pooled { pooler } else { "–" };
        let (redis, postgres) = (&cell.redis.name, &cell.postgres.name);
        let _ = writeln!(
            text,
            "| {redis} | {postgres} | {with} | {passed} | {failed} | {ignored} | {} s |",
            time.as_secs()
        );
    }
    text
}

fn write(table: &str) -> Result<()> {
    let path: PathBuf = stack::repository_root().join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{FILE} has no place for the table"))?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    say(format!("the table is in {FILE}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_of_the_three_meet() {
        let redis: Vec<_> = ["6", "7", "8", "9"]
            .map(|name| RedisServer { name: name.into(), program: PathBuf::new() })
            .into_iter()
            .collect();
        let postgres = ["15", "18"].map(|name| PostgresServer { name: name.into(), programs: PathBuf::new() });
        let cells = cells(&redis, &postgres);
        let has = |redis: Option<&str>, postgres: Option<&str>, is_pooled: Option<bool>| {
            cells.iter().any(|cell| {
                redis.is_none_or(|name| cell.redis.name == name)
                    && postgres.is_none_or(|name| cell.postgres.name == name)
                    && is_pooled.is_none_or(|it| cell.is_pooled == it)
            })
        };
        for one in &redis {
            for other in &postgres {
                assert!(has(Some(&one.name), Some(&other.name), None));
            }
        }
        for is_pooled in [false, true] {
            assert!(redis.iter().all(|it| has(Some(&it.name), None, Some(is_pooled))));
            assert!(postgres.iter().all(|it| has(None, Some(&it.name), Some(is_pooled))));
        }
        assert_eq!(cells.len(), 8);
    }

    #[test]
    fn what_came_of_a_run_is_read_from_its_output() {
        let text = "running 5 tests\ntest a::b ... FAILED\n\nfailures:\n\n---- a::b ----\nsaid\n\nfailures:\n    a::b\n    a::c\n\n\
                    test result: FAILED. 2 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        let seen = outcome(text, false, Duration::from_secs(7));
        assert_eq!(
            (seen.passed, seen.ignored, seen.failed.as_slice()),
            (2, 1, &["a::b".to_owned(), "a::c".into()][..])
        );
        assert_eq!(seen.told(), "2 passed, 2 failed, 1 left out, 7 s");
        assert!(!seen.is_good());
        let text = "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert!(outcome(text, true, Duration::ZERO).is_good());
        assert!(!outcome(text, false, Duration::ZERO).is_good(), "something was left over");
        assert!(!outcome("error: could not compile", false, Duration::ZERO).is_good());
    }
}
