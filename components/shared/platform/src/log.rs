//! The structured log: one JSON object a line, on standard error.

use crate::scope;
use serde_json::{Map, Value};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// LeaseState knowing.
    Info,
    /// Something was worked around.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Makes a line: `level`, `event`, the given fields, and the `trace_id` of the request that it is about, if that has one.
/// Callers never pass a token, a secret or a tenant's data.
pub fn line(level: Level, event: &str, fields: &[(&str, &str)]) -> String {
    let mut object = Map::new();
    object.insert("level".into(), Value::from(level.name()));
    object.insert("event".into(), Value::from(event));
    for (name, value) in fields {
        object.insert((*name).into(), Value::from(*value));
    }
    if let Some(trace_id) = scope::trace_id() {
        object.insert("trace_id".into(), Value::from(trace_id));
    }
    Value::Object(object).to_string()
}

/// Writes a line to standard error, which the host collects.
pub fn write(level: Level, event: &str, fields: &[(&str, &str)]) {
    eprintln!("{}", line(level, event, fields));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_its_values_hold() {
        let line = line(Level::Warn, "redis.unavailable", &[("error", "a \"quoted\"\nline")]);
        assert!(!line.contains('\n'));
        let object: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(object["level"], "warn");
        assert_eq!(object["error"], "a \"quoted\"\nline");
    }
}
