//! What is answered: results and errors as JSON.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{RedisError, Value};
use serde_json::json;

use crate::request::Refusal;

/// How strings are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are; what is no text with U+FFFD in it.
    Plain,
    /// In base64, but for `OK`.
    Base64,
}

/// What becomes of a request.
pub enum Answer {
    One(Value),
    Many(Vec<Result<Value, RedisError>>),
    Refused(Refusal),
}

impl Encoding {
    pub fn of(headers: &HeaderMap) -> Encoding {
        let is_base64 = headers.get("upstash-encoding").is_some_and(|value| value == "base64");
        if is_base64 { Encoding::Base64 } else { Encoding::Plain }
    }

    fn text(self, bytes: &[u8]) -> serde_json::Value {
        match self {
            Encoding::Plain => String::from_utf8_lossy(bytes).into(),
            Encoding::Base64 => STANDARD.encode(bytes).into(),
        }
    }

    fn json(self, value: Value) -> serde_json::Value {
        match value {
            Value::Nil => serde_json::Value::Null,
            Value::Int(number) => number.into(),
            Value::Okay => "OK".into(),
            Value::BulkString(bytes) => self.text(&bytes),
            Value::SimpleString(text) => self.text(text.as_bytes()),
            Value::Array(values) => values.into_iter().map(|value| self.json(value)).collect(),
            // Redis answers no other to those who speak the older protocol.
            other => self.text(format!("{other:?}").as_bytes()),
        }
    }

    fn result(self, result: Result<Value, RedisError>) -> serde_json::Value {
        match result {
            Ok(value) => json!({ "result": self.json(value) }),
            Err(error) => json!({ "error": text_of(&error) }),
        }
    }
}

impl Answer {
    pub fn into_json(self, encoding: Encoding) -> (StatusCode, String) {
        let (status, json) = match self {
            Answer::One(value) => (StatusCode::OK, encoding.result(Ok(value))),
            Answer::Many(all) => (StatusCode::OK, all.into_iter().map(|one| encoding.result(one)).collect()),
            Answer::Refused((status, text)) => (status, json!({ "error": text })),
        };
        (status, json.to_string())
    }
}

/// The text of an error as it was on the wire.
pub fn text_of(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => format!("ERR {error}"),
    }
}

/// Whether `COMMAND INFO` says of a command that it changes nothing.
pub fn is_read_only(about: &Value) -> bool {
    let Value::Array(commands) = about else { return false };
    let Some(Value::Array(facts)) = commands.first() else { return false };
    let Some(Value::Array(flags)) = facts.get(2) else { return false };
    flags.iter().any(|flag| matches!(flag, Value::SimpleString(name) if name == "readonly"))
}

/// Leaves out what Upstash's INFO does not have: who the server is and whom it replicates.
pub fn as_upstash_tells(info: Value) -> Value {
    let Value::BulkString(bytes) = &info else { return info };
    let text = String::from_utf8_lossy(bytes);
    let sections = text.split("# ").filter(|section| !section.starts_with("Replication"));
    let lines = sections.collect::<Vec<_>>().join("# ");
    let lines = lines.lines().filter(|line| !line.starts_with("run_id:"));
    Value::BulkString(lines.flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_encoded_but_for_ok() {
        let values =
            || Value::Array(vec![Value::Okay, Value::BulkString(b"OK\xff".to_vec()), Value::Int(1), Value::Nil]);
        assert_eq!(Encoding::Base64.json(values()), json!(["OK", "T0v/", 1, null]));
        assert_eq!(Encoding::Plain.json(values()), json!(["OK", "OK\u{fffd}", 1, null]));
        assert_eq!(Encoding::Base64.json(Value::SimpleString("PONG".into())), json!("UE9ORw=="));
    }

    #[test]
    fn upstash_does_not_say_which_server_it_is() {
        let info =
            "# Server\r\nrun_id:x\r\nredis_version:7\r\n\r\n# Replication\r\nrole:master\r\n\r\n# CPU\r\na:1\r\n";
        let Value::BulkString(told) = as_upstash_tells(Value::BulkString(info.into())) else { panic!("no text") };
        assert_eq!(String::from_utf8_lossy(&told), "# Server\r\nredis_version:7\r\n\r\n# CPU\r\na:1\r\n");
    }
}
