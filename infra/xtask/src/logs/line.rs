//! A line of the log: an event as `components/shared/platform/src/log.rs` writes it, or what a host says by itself. Pure.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};

/// How wide the column of the events is; those with longer names stand out.
const EVENT_WIDTH: usize = 24;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// One line.
pub enum Line<'a> {
    Event {
        level: Level,
        event: String,
        trace_id: Option<String>,
        /// All others.
        fields: Map<String, Value>,
    },
    Other(&'a str),
}

impl Level {
    fn of(name: &str) -> Option<Level> {
        Level::from_str(name, false).ok()
    }

    fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    /// How a terminal sets it off: dim, yellow, red.
    fn colour(self) -> &'static str {
        match self {
            Level::Info => "\u{1b}[2m",
            Level::Warn => "\u{1b}[33m",
            Level::Error => "\u{1b}[31m",
        }
    }
}

impl Line<'_> {
    /// Reads a line.
    pub fn of(text: &str) -> Line<'_> {
        event(text).unwrap_or(Line::Other(text))
    }

    /// As a person reads it. A value may hold what somebody else has sent: no control character reaches the terminal.
    pub fn shown(&self, colour: bool) -> String {
        let (level, event, trace_id, fields) = match self {
            Line::Other(text) => return printable(text),
            Line::Event { level, event, trace_id, fields } => (level, event, trace_id, fields),
        };
        let name = format!("{:5}", level.name());
        let name = if colour { format!("{}{name}\u{1b}[0m", level.colour()) } else { name };
        let mut text = format!("{name}  {:EVENT_WIDTH$}", printable(event));
        for (name, value) in fields {
            let _ = write!(text, "  {}={}", printable(name), shown(value));
        }
        if let Some(trace_id) = trace_id {
            let _ = write!(text, "  trace_id={}", printable(trace_id));
        }
        text.trim_end().to_owned()
    }
}

fn event(text: &str) -> Option<Line<'_>> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else { return None };
    let mut take = |name: &str| match fields.get(name)? {
        Value::String(_) => fields.remove(name)?.as_str().map(str::to_owned),
        _ => None,
    };
    let (level, event, trace_id) = (take("level")?, take("event")?, take("trace_id"));
    Some(Line::Event { level: Level::of(&level)?, event, trace_id, fields })
}

/// A word as it is, and anything else in quotes.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') => {
            text.to_owned()
        }
        // JSON leaves some control characters as they are.
        _ => printable(&value.to_string()),
    }
}

fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Line::of(text).shown(false), expected);
    }

    #[test]
    fn an_event_is_its_level_its_name_and_its_fields_with_the_trace_last() {
        check(
            r#"{"event":"redis.unavailable","error":"not answered within 50 ms","level":"warn","trace_id":"0af7"}"#,
            "warn   redis.unavailable         error=\"not answered within 50 ms\"  trace_id=0af7",
        );
        check(r#"{"event":"outbox.drained","level":"info","rows":"3"}"#, "info   outbox.drained            rows=3");
        check(r#"{"event":"metrics.lost","level":"error"}"#, "error  metrics.lost");
    }

    #[test]
    fn what_is_no_event_is_shown_as_it_is() {
        for text in
            ["Serving http://127.0.0.1:3000", "", "[1]", r#"{"level":"warn"}"#, r#"{"level":"odd","event":"x"}"#]
        {
            check(text, text);
        }
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        for text in [
            r#"{"event":"x","level":"warn","error":"\u001b[2J\u0007\u009b1m"}"#,
            "{\"event\":\"x\\u001b\",\"level\":\"warn\",\"trace_id\":\"\\u001b\",\"\\u001b\":\"\\u009b\"}",
            "\u{1b}[2J",
        ] {
            let shown = Line::of(text).shown(false);
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn a_terminal_sets_the_level_off() {
        let line = Line::of(r#"{"event":"metrics.lost","level":"error"}"#);
        assert_eq!(line.shown(true), "\u{1b}[31merror\u{1b}[0m  metrics.lost");
    }

    /// What the components write, and not what a test has made of it.
    #[test]
    fn a_line_as_the_components_write_it_is_an_event() {
        let source = stack::repository_root().join("components/shared/platform/src/log.rs");
        let source = std::fs::read_to_string(source).expect("log.rs");
        for (level, name) in [(Level::Info, "info"), (Level::Warn, "warn"), (Level::Error, "error")] {
            assert!(source.contains(&format!("=> \"{name}\"")), "{name} is no level of log.rs");
            assert_eq!((Level::of(name), level.name()), (Some(level), name));
        }
        for member in ["level", "event", "trace_id"] {
            assert!(source.contains(&format!("object.insert(\"{member}\".into()")), "log.rs writes no {member}");
        }
    }
}
