//! `cargo xtask logs`: what the host of `up` and its components write, for people, or as it is.

mod filter;
mod line;
mod tail;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::dev::Dev;
use crate::report::{own_stdout, print};
use crate::shell::{interrupted, say};
use crate::{build, up};
use filter::Filter;
use line::{Level, Line};
use tail::Tail;

/// How often it is looked whether there is more.
const POLL: Duration = Duration::from_millis(100);
const NOT_RUNNING: &str = "`cargo xtask up` does not run here: start it in another terminal";

#[derive(Args)]
pub struct Logs {
    /// Only events of this level, and of those that matter more
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Only events with this name, or below it: `breaker` takes in `breaker.changed`. Several are alternatives
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
    /// Only what this component has written
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Only events of the request with this trace id
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C or the end of `up`
    #[arg(short, long)]
    follow: bool,
    /// Print the events as they are, one JSON object a line; lines that are no events are left out
    #[arg(long = "json")]
    as_written: bool,
}

impl Logs {
    /// Prints what there is and, if asked to, what comes.
    pub fn run(self) -> Result<()> {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        self.show(&Dev::open()?, &mut own_stdout()?, colour)
    }

    fn show(&self, dev: &Dev, out: &mut impl Write, colour: bool) -> Result<()> {
        let is_running = || dev.facts().is_ok_and(|facts| facts.is_running());
        let file = self.file(dev)?;
        if !is_running() {
            ensure!(!self.follow && dev.path(up::LOG).exists(), "{NOT_RUNNING}");
            say(format!("{NOT_RUNNING}. These are lines of its last run"));
        }
        let (mut tail, filter) = (Tail::of(file), self.filter());
        loop {
            // Asked before the file is read: what was written before the end is not missed.
            let goes_on = self.follow && is_running();
            while let Some(text) = tail.next(!goes_on)? {
                let line = Line::of(&text);
                if filter.passes(&line) && !print(out, &self.shown(&line, &text, colour))? {
                    return Ok(());
                }
            }
            if !goes_on || interrupted() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }

    fn filter(&self) -> Filter {
        Filter {
            level: self.level,
            events: self.event.clone(),
            trace_id: self.trace_id.clone(),
            events_alone: self.as_written,
        }
    }

    fn shown(&self, line: &Line<'_>, text: &str, colour: bool) -> String {
        if self.as_written { text.to_owned() } else { line.shown(colour) }
    }

    /// All lines in their order, or those of one component.
    fn file(&self, dev: &Dev) -> Result<PathBuf> {
        let Some(component) = &self.component else { return Ok(dev.path(up::LOG)) };
        let known = build::component_packages(stack::Edition::Spin4_1)?;
        if !known.contains(component) {
            bail!("there is no component {component}; there are {}", known.join(", "));
        }
        Ok(dev.path(up::STATE).join("logs").join(format!("{component}_stderr.txt")))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Child, Command};
    use std::sync::mpsc;

    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        logs: Logs,
    }

    /// Longer than it takes to see that a process has ended.
    const PATIENCE: Duration = Duration::from_secs(60);
    const WARNING: &str = r#"{"event":"redis.unavailable","level":"warn","error":"x"}"#;
    const INFO: &str = r#"{"event":"outbox.drained","level":"info","rows":"3"}"#;

    /// A folder in which `up` has run, and this was logged.
    fn after_up(log: &str) -> (tempfile::TempDir, Dev) {
        let folder = tempfile::tempdir().expect("a folder");
        let dev = Dev::open_in(folder.path()).expect("opened");
        std::fs::write(dev.path(up::LOG), log).expect("written");
        (folder, dev)
    }

    fn shown(dev: &Dev, words: &str) -> Result<String> {
        let typed = Typed::try_parse_from(["logs"].into_iter().chain(words.split_whitespace())).expect(words);
        let mut out = Vec::new();
        typed.logs.show(dev, &mut out, false)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn where_up_has_never_run_it_is_said_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let dev = Dev::open_in(folder.path()).expect("opened");
        for words in ["", "--follow", "--component ops"] {
            let error = shown(&dev, words).expect_err("nothing runs").to_string();
            assert!(error.contains("start it in another terminal"), "{words}: {error}");
        }
    }

    #[test]
    fn the_log_of_the_last_run_is_shown_and_not_followed() {
        let (_folder, dev) = after_up(&format!("Serving http://127.0.0.1:3000\n{WARNING}\n{INFO}"));
        assert_eq!(
            shown(&dev, "").expect("shown"),
            "Serving http://127.0.0.1:3000\nwarn   redis.unavailable         error=x\ninfo   outbox.drained            rows=3\n"
        );
        assert!(shown(&dev, "--follow").is_err());
    }

    #[test]
    fn events_are_passed_on_byte_for_byte_and_nothing_else_is() {
        let (_folder, dev) = after_up(&format!("Serving http://127.0.0.1:3000\n{WARNING}\n{INFO}\n"));
        assert_eq!(shown(&dev, "--json").expect("shown"), format!("{WARNING}\n{INFO}\n"));
        assert_eq!(shown(&dev, "--json --level warn").expect("shown"), format!("{WARNING}\n"));
        assert_eq!(shown(&dev, "--json --event outbox").expect("shown"), format!("{INFO}\n"));
    }

    #[test]
    fn a_component_has_a_file_of_its_own_and_only_those_there_are() {
        let (_folder, dev) = after_up(&format!("{WARNING}\n{INFO}\n"));
        let folder = dev.path(up::STATE).join("logs");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("ops_stderr.txt"), format!("{INFO}\n")).expect("written");
        assert_eq!(shown(&dev, "--json --component ops").expect("shown"), format!("{INFO}\n"));
        assert_eq!(shown(&dev, "--component writes").expect("shown"), "", "it has written nothing");
        let error = shown(&dev, "--component reads").expect_err("refused").to_string();
        assert!(error.contains("property-reads") && error.contains("ops"), "{error}");
    }

    /// Stands for a host that runs, and is ended with the test whatever it comes to.
    struct Stand(Child);

    impl Drop for Stand {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_log_is_followed_until_the_host_has_ended() {
        let (_folder, dev) = after_up(&format!("{INFO}\n"));
        let host = Stand(Command::new("sleep").arg("1000").spawn().expect("started"));
        dev.write_facts(&crate::dev::tests::facts_of(host.0.id())).expect("written");
        let log = dev.path(up::LOG);
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let typed = Typed::parse_from(["logs", "--follow", "--json"]);
            ended.send(typed.logs.show(&dev, &mut writer, false).is_ok())
        });
        let mut line = [0; INFO.len() + 1];
        reader.read_exact(&mut line).expect("what was there");
        let mut file = std::fs::File::options().append(true).open(log).expect("the log");
        file.write_all(format!("{WARNING}\n").as_bytes()).expect("written");
        let mut line = [0; WARNING.len() + 1];
        reader.read_exact(&mut line).expect("what came");
        assert_eq!(line.strip_suffix(b"\n"), Some(WARNING.as_bytes()));
        assert!(end.try_recv().is_err(), "it goes on while the host does");
        drop(host);
        assert_eq!(end.recv_timeout(PATIENCE), Ok(true));
    }
}
