//! What `cargo xtask load` is asked for: its options with their bounds, and to whose host it may go.

mod destination;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

pub use destination::Destination;

/// Requests a second, at most. One edge machine with two processors answers some ten thousand hits a second: half of that
/// measures what landlords will do, and all of it would measure the generator.
pub const MAX_RATE: u32 = 5_000;
/// For how long at most. With [`MAX_RATE`] that is 18 million answers, each kept in 12 bytes: 216 MB. `cargo xtask soak` is what
/// goes on for longer.
pub const MAX_DURATION: Duration = Duration::from_secs(60 * 60);
/// Connections, at most: as many as the benchmark's widest case has.
pub const MAX_CLIENTS: u16 = 256;
/// Properties of its own, at most, for each landlord: they are made one by one, through the API.
pub const MAX_PROPERTIES: u16 = 1_000;
/// The steepest of Zipf's distributions: at 3 five of six requests are for one property.
pub const MAX_ZIPF: f64 = 3.0;

/// In which variable xtask hands the plan on: a command line, which everybody can read, would show the tokens.
const VARIABLE: &str = "RENTTRACKER_LOAD_PLAN";

/// A load. It has no `Debug`: the tokens must not be shown.
#[derive(Args, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Where the API answers: `https://HOST[:PORT]` or `http://HOST[:PORT]`
    #[arg(long, value_name = "URL")]
    pub base_url: String,
    /// A landlord's token, once for each landlord; better in the environment, because others see a command line
    #[arg(long = "token", env = "RENTTRACKER_TOKEN", hide_env_values = true, value_delimiter = ',', required = true)]
    pub tokens: Vec<String>,
    /// Requests a second: they are sent when they are due, however slow the answers are
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    pub rate: u32,
    /// For how long, as in `90s` or `5m`; an hour at most
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub duration: Duration,
    /// Which share of the requests are reads, from 0 to 1; a quarter of the reads are of a list
    #[arg(long, default_value_t = 0.95, value_parser = |text: &str| within(text, 1.0))]
    pub read_share: f64,
    /// How unevenly properties are asked for: Zipf's exponent, 0 for all alike
    #[arg(long, default_value_t = 1.0, value_parser = |text: &str| within(text, MAX_ZIPF))]
    pub zipf: f64,
    /// How many connections there are
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_CLIENTS)))]
    pub clients: u16,
    /// How many properties it makes for each landlord; they alone are written to, and at the end they are deleted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=i64::from(MAX_PROPERTIES)), value_name = "N")]
    pub properties: u16,
    /// Read the properties that are there as well; they are never written to
    #[arg(long)]
    pub existing: bool,
    /// Go to a host that is not this machine
    #[arg(long)]
    pub i_own_this_host: bool,
    /// Who signed the host's certificate, in PEM, if this machine does not know
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// End well though requests have failed
    #[arg(long)]
    pub allow_failures: bool,
    /// The folder for the report; by default target/load of the repository
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

impl Plan {
    /// Whether it can be carried out, and where it goes. Names are looked up; nobody is connected to.
    ///
    /// # Errors
    /// A sentence for whoever has typed it.
    pub fn destination(&self) -> Result<Destination> {
        ensure!(
            self.properties > 0 || self.read_share >= 1.0,
            "it writes to properties of its own alone, and --properties 0 leaves it none: say --read-share 1 as well"
        );
        ensure!(
            self.properties > 0 || self.existing,
            "there is nothing to read: --properties 0 needs --existing, which reads what is there"
        );
        for token in &self.tokens {
            let is_sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(is_sendable, "a token is empty, or has a character that no header may have");
        }
        Destination::of(&self.base_url, self.i_own_this_host)
    }

    /// Hands it on to the program that carries it out, whose current folder may be another.
    pub fn hand_to(mut self, command: &mut Command) -> Result<()> {
        for path in self.ca_file.iter_mut().chain(&mut self.out) {
            *path = std::path::absolute(&path)?;
        }
        // What the tokens came in is of no use to it.
        command.env_remove("RENTTRACKER_TOKEN").env(VARIABLE, serde_json::to_string(&self)?);
        Ok(())
    }

    /// What was handed on.
    pub fn handed() -> Result<Plan> {
        let text = std::env::var(VARIABLE).with_context(|| format!("{VARIABLE} is not set: use `cargo xtask load`"))?;
        // An error of the parser would quote the text.
        serde_json::from_str(&text).ok().with_context(|| format!("{VARIABLE} holds no plan"))
    }
}

fn within(text: &str, most: f64) -> Result<f64, String> {
    let value = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=most).contains(&value) { Ok(value) } else { Err(format!("it must lie between 0 and {most}")) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=MAX_DURATION;
    if range.contains(&duration) { Ok(duration) } else { Err("it must lie between 1s and 1h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        plan: Plan,
    }

    fn parsed(more: &str) -> Result<Plan, String> {
        let words = ["load", "--base-url", "http://127.0.0.1:3000", "--token", "a.b.c"].into_iter();
        let command = Command::try_parse_from(words.chain(more.split_whitespace()));
        command.map(|command| command.plan).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_beyond_its_bound_is_refused() {
        for fine in ["", "--rate 5000", "--duration 1h", "--read-share 0", "--zipf 0", "--clients 256"] {
            assert!(parsed(fine).is_ok(), "{fine}");
        }
        for refused in [
            "--rate 0",
            "--rate 5001",
            "--duration 61m",
            "--duration 10ms",
            "--duration soon",
            "--read-share 1.01",
            "--read-share nan",
            "--zipf -1",
            "--clients 0",
            "--clients 257",
            "--properties 1001",
        ] {
            assert!(parsed(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn it_writes_to_nothing_but_its_own_properties() {
        let check = |more: &str, expected: bool| {
            let plan = parsed(more).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(plan.destination().is_ok(), expected, "{more}");
        };
        check("", true);
        check("--existing", true);
        check("--properties 0 --existing --read-share 1", true);
        check("--properties 0 --existing", false);
        check("--properties 0 --read-share 1", false);
    }

    #[test]
    fn several_landlords_may_be_named() {
        let tokens = |more| parsed(more).unwrap_or_else(|error| panic!("{error}")).tokens;
        assert_eq!(tokens("--token d.e.f"), ["a.b.c", "d.e.f"]);
        assert_eq!(tokens("--token d.e.f,g.h.i"), ["a.b.c", "d.e.f", "g.h.i"]);
    }

    #[test]
    fn a_plan_is_handed_on_in_the_environment_alone() {
        let mut command = std::process::Command::new("bench");
        let plan = parsed("--out report").unwrap_or_else(|error| panic!("{error}"));
        plan.hand_to(&mut command).expect("handed on");
        assert_eq!(command.get_args().count(), 0);
        let (_, value) = command.get_envs().find(|(name, _)| *name == VARIABLE).expect("a variable");
        let plan: Plan = serde_json::from_str(value.and_then(|it| it.to_str()).expect("text")).expect("a plan");
        assert_eq!(plan.tokens, ["a.b.c"]);
        assert!(plan.out.is_some_and(|out| out.is_absolute() && out.ends_with("report")));
    }
}
