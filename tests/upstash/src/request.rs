//! What is asked: the token, and the commands of a path or a body.

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A status and an error's text.
pub type Refusal = (StatusCode, String);

/// Name and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(pub Vec<Vec<u8>>);

pub type Commands = Vec<Command>;

/// What a request wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    One(Command),
    Pipeline(Commands),
    Transaction(Commands),
}

impl Command {
    /// In capitals.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.0[0]).to_uppercase()
    }

    pub fn to_redis(&self) -> redis::Cmd {
        let mut command = redis::Cmd::new();
        command.arg(&self.0);
        command
    }
}

fn bad(text: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, text.into())
}

/// Reads a request of someone who has `token`.
pub fn parse(parts: &Parts, body: &[u8], token: &str) -> Result<Asked, Refusal> {
    if ![Method::HEAD, Method::GET, Method::POST, Method::PUT].contains(&parts.method) {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "ERR method is not allowed".into()));
    }
    let query = pairs(parts.uri.query().unwrap_or_default());
    let in_query = query.iter().find(|(name, _)| name == b"_token").map(|(_, value)| value.as_slice());
    let in_header = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.as_bytes().strip_prefix(b"Bearer "));
    if in_header.or(in_query) != Some(token.as_bytes()) {
        return Err((StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token".into()));
    }
    match parts.uri.path() {
        "/" => Ok(Asked::One(command(&json(body)?)?)),
        "/pipeline" => Ok(Asked::Pipeline(commands(&json(body)?)?)),
        "/multi-exec" => Ok(Asked::Transaction(commands(&json(body)?)?)),
        path => {
            let mut words: Vec<Vec<u8>> =
                path.split('/').skip(1).map(|word| percent_decode_str(word).collect()).collect();
            if !body.is_empty() {
                words.push(body.to_vec());
            }
            for (name, value) in query.into_iter().filter(|(name, _)| name != b"_token") {
                words.push(name);
                words.extend(Some(value).filter(|value| !value.is_empty()));
            }
            named(words).map(Asked::One)
        }
    }
}

fn pairs(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).collect();
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| bad("ERR failed to parse command"))
}

fn commands(value: &Value) -> Result<Commands, Refusal> {
    match value.as_array().map(Vec::as_slice) {
        None => Err(bad("ERR failed to parse pipeline request")),
        Some([]) => Err(bad("ERR empty pipeline request")),
        Some(all) => all.iter().map(command).collect(),
    }
}

fn command(value: &Value) -> Result<Command, Refusal> {
    let words = value.as_array().ok_or_else(|| bad("ERR failed to parse command"))?;
    let word = |word: &Value| match word {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Number(_) | Value::Bool(_) => Ok(word.to_string().into_bytes()),
        _ => Err(bad("ERR failed to parse command")),
    };
    named(words.iter().map(word).collect::<Result<_, _>>()?)
}

fn named(words: Vec<Vec<u8>>) -> Result<Command, Refusal> {
    if words.first().is_none_or(Vec::is_empty) {
        return Err(bad("ERR empty command"));
    }
    Ok(Command(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn ask(method: &str, target: &str, body: &str) -> Result<Asked, Refusal> {
        let request = Request::builder().method(method).uri(target).header("authorization", "Bearer t");
        parse(&request.body(()).expect("a request").into_parts().0, body.as_bytes(), "t")
    }

    fn one(words: &[&str]) -> Result<Asked, Refusal> {
        Ok(Asked::One(Command(words.iter().map(|word| word.as_bytes().to_vec()).collect())))
    }

    #[test]
    fn a_command_comes_by_path_with_the_body_as_its_last_argument_and_options_in_the_query() {
        assert_eq!(ask("GET", "/set/foo/bar%2Fx/EX/100", ""), one(&["set", "foo", "bar/x", "EX", "100"]));
        assert_eq!(ask("POST", "/set/foo?EX=100&NX", "b a\"r"), one(&["set", "foo", "b a\"r", "EX", "100", "NX"]));
        assert_eq!(ask("POST", "/info?_token=x", ""), one(&["info"]));
    }

    #[test]
    fn a_command_comes_by_body() {
        assert_eq!(ask("POST", "/", r#"["SET","ü",1.5,true]"#), one(&["SET", "ü", "1.5", "true"]));
        for body in ["", "{}", "[]", "[null]", r#"[""]"#, r#"["SET",["x"]]"#] {
            assert_eq!(ask("POST", "/", body).expect_err(body).0, StatusCode::BAD_REQUEST);
        }
        for path in ["/pipeline", "/multi-exec"] {
            assert!(ask("POST", path, r#"[["GET","a"],["GET","b"]]"#).is_ok());
            for body in ["[]", "{}", r#"["GET"]"#] {
                assert_eq!(ask("POST", path, body).expect_err(body).0, StatusCode::BAD_REQUEST);
            }
        }
        assert_eq!(ask("DELETE", "/", r#"["PING"]"#).expect_err("refused").0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn the_token_is_in_a_header_or_in_the_query() {
        let ask = |header: &str, target: &str| {
            let request = Request::get(target).header("authorization", header).body(()).expect("a request");
            parse(&request.into_parts().0, b"", "t=").map_err(|(status, _)| status)
        };
        assert!(ask("Bearer t=", "/ping").is_ok());
        assert!(ask("", "/ping?_token=t%3D").is_ok());
        for (header, target) in [("", "/ping"), ("Bearer x", "/ping"), ("t=", "/ping"), ("", "/ping?_token=x")] {
            assert_eq!(ask(header, target), Err(StatusCode::UNAUTHORIZED), "{header} {target}");
        }
    }
}
