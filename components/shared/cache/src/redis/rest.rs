//! The REST protocol of Upstash, as far as it is data: how a command is written, and what an answer means.
//!
//! A command is a JSON array of strings, sent by POST; `Upstash-Encoding: base64` has every string of an answer come in
//! base64 (<https://upstash.com/docs/redis/features/restapi>). What is asked so differs from a connection in three points:
//!
//! - **Every command is a script.** Any replica may answer a command that only reads, however far it is behind; a script that
//!   may write is the primary's.
//! - **A script goes with a guard.** A connection breaks off when the Redis at its other end ends; requests do not. So each
//!   script first compares the [`Marker`] of the database with what was found when the instance began to ask.
//! - **Bytes go as characters.** JSON holds text alone, so where an argument is none, each byte becomes the character of its
//!   number and the script turns them back. What is stored is the same as by a connection.

use super::scripts::eval;
use super::{Argument, Command, RedisFailure, Reply, Script};
use crate::{CacheKey, MAX_ENTRY_BYTES, Namespace};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How many scripts go in one request: with 500 keys each and their locks, about 2 MB, where Upstash takes 10.
pub const SCRIPTS_PER_REQUEST: usize = 16;
/// The largest answer that is read, in bytes: twice an entry in base64, and far above one step of a scan of all keys.
pub const MAX_ANSWER_BYTES: usize = 3 * MAX_ENTRY_BYTES;
/// How long the marker stands without being asked for: longer than any value.
const MARKER_MS: u64 = 900_000;

/// Reads a value as `GETRANGE` does by a connection: no more of it than tells that it is larger than an entry. What is of
/// another type is told by Redis's own error, which `call` would wrap in words about the script.
const READ_VALUE: &str = "return redis.pcall('GETRANGE', KEYS[1], 0, ARGV[1])";
/// Reads a page of a list, unless it is larger than an entry.
const READ_PAGE: &str = "local length = redis.pcall('HSTRLEN', KEYS[1], ARGV[2])
if type(length) ~= 'number' then return length end
if length > tonumber(ARGV[1]) then return redis.error_reply('TOOLARGE page of ' .. length .. ' bytes') end
return redis.call('HGET', KEYS[1], ARGV[2])";

/// Which database it is: a key in it, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    key: Argument,
    /// What it holds.
    pub token: String,
}

impl Marker {
    /// Where the marker of this deployment is. No owner has a `~`.
    fn key(namespace: &Namespace) -> Argument {
        namespace.own_key("database").into_bytes()
    }

    /// The command that asks for it, and sets it to `token` where there is none.
    pub fn ask(namespace: &Namespace, token: &str) -> Vec<Argument> {
        let arguments = vec![token.as_bytes().to_vec(), MARKER_MS.to_string().into_bytes()];
        eval(include_str!("scripts/identify.lua"), vec![Self::key(namespace)], arguments)
    }

    /// Reads the answer to [`Marker::ask`].
    ///
    /// # Errors
    /// When it is none.
    pub fn found(namespace: &Namespace, answer: &[Reply]) -> Result<Self, RedisFailure> {
        match answer {
            [Reply::Bytes(token)] if !token.is_empty() => {
                Ok(Self { key: Self::key(namespace), token: String::from_utf8_lossy(token).into_owned() })
            }
            _ => Err(RedisFailure::Refused("the marker of the database is no text".into())),
        }
    }

    /// The arguments of `EVAL` for a script that runs in this database alone.
    ///
    /// The marker then stands for as long again: an instance may go on for longer than that without asking for it. Where nothing
    /// but reads has come meanwhile the values are gone too.
    pub fn guard(&self, script: Script) -> Vec<Argument> {
        // Afterwards: a script that has written is let go beyond `maxmemory`.
        let keep = format!("\nend\nlocal answer = run()\nredis.call('PEXPIRE', marker, {MARKER_MS})\nreturn answer\n");
        let source = ["local function run()\n", script.text.source, &keep].concat();
        self.guarded(&source, script.keys, script.arguments)
    }

    fn guarded(&self, source: &str, mut keys: Vec<Argument>, mut arguments: Vec<Argument>) -> Vec<Argument> {
        keys.push(self.key.clone());
        arguments.push(self.token.clone().into_bytes());
        let is_text = arguments.iter().all(|argument| std::str::from_utf8(argument).is_ok());
        let bytes = if is_text { "" } else { include_str!("scripts/bytes.lua") };
        if !is_text {
            arguments = arguments.iter().map(|bytes| characters(bytes).into_bytes()).collect();
        }
        eval(&[bytes, include_str!("scripts/guard.lua"), source].concat(), keys, arguments)
    }

    /// The arguments of `EVAL` that run one command. Its keys are not told apart from its arguments.
    pub fn execute(&self, command: Command, mut arguments: Vec<Argument>) -> Vec<Argument> {
        arguments.insert(0, command.name().into());
        self.guarded("return redis.pcall(unpack(ARGV))", Vec::new(), arguments)
    }

    /// The arguments of `EVAL` that read a value, or one page of a list.
    pub fn read(&self, key: &CacheKey, field: &str) -> Vec<Argument> {
        let limit = MAX_ENTRY_BYTES.to_string().into_bytes();
        let arguments = if key.is_list() { vec![limit, field.into()] } else { vec![limit] };
        self.guarded(if key.is_list() { READ_PAGE } else { READ_VALUE }, vec![key.as_str().into()], arguments)
    }
}

/// Each byte as the character of its number.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// One command as JSON.
///
/// # Errors
/// When an argument is no text. Those of scripts always are ([`Marker::guard`]).
pub fn command(command: Command, arguments: &[Argument]) -> Result<Vec<u8>, RedisFailure> {
    json(&words(command, arguments)?)
}

/// Several of one command as JSON; `all` are the arguments of each.
///
/// # Errors
/// As [`command`].
pub fn pipeline(command: Command, all: &[Vec<Argument>]) -> Result<Vec<u8>, RedisFailure> {
    let commands: Result<Vec<_>, _> = all.iter().map(|arguments| words(command, arguments)).collect();
    json(&commands?)
}

fn words<'a>(command: Command, arguments: &'a [Argument]) -> Result<Vec<&'a str>, RedisFailure> {
    let name = command.name();
    let text = |argument: &'a Argument| {
        std::str::from_utf8(argument).map_err(|_| RedisFailure::Refused(format!("an argument of {name} is no text")))
    };
    std::iter::once(Ok(name)).chain(arguments.iter().map(text)).collect()
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, RedisFailure> {
    serde_json::to_vec(value).map_err(|error| RedisFailure::Refused(error.to_string()))
}

/// What a response to [`command`] means.
///
/// # Errors
/// [`RedisFailure::Refused`] for what Redis answered with an error, [`RedisFailure::Unavailable`] for everything else that
/// is no result.
pub fn answer(status: u16, body: &[u8]) -> Result<Vec<Reply>, RedisFailure> {
    one(parse(status, body)?)
}

/// What a response to [`pipeline`] means, where each of `count` commands must have succeeded.
///
/// # Errors
/// As [`answer`]; the first one counts.
pub fn answers(status: u16, body: &[u8], count: usize) -> Result<Vec<Vec<Reply>>, RedisFailure> {
    match parse(status, body)? {
        Value::Array(answers) if answers.len() == count => answers.into_iter().map(one).collect(),
        Value::Array(_) => Err(no_answer()),
        whole => one(whole).and(Err(no_answer())),
    }
}

/// The status says whether Redis was asked at all.
fn parse(status: u16, body: &[u8]) -> Result<Value, RedisFailure> {
    match status {
        200 | 400 => serde_json::from_slice(body).map_err(|_| no_answer()),
        // Nothing of the body: it is not known to hold no secret.
        401 | 403 => Err(RedisFailure::Unavailable(format!("it answered {status}: redis_token is not taken"))),
        _ => Err(RedisFailure::Unavailable(format!("it answered {status}"))),
    }
}

fn no_answer() -> RedisFailure {
    RedisFailure::Unavailable("it answered what is no answer of the REST API".into())
}

fn one(answer: Value) -> Result<Vec<Reply>, RedisFailure> {
    let Value::Object(mut members) = answer else {
        return Err(no_answer());
    };
    if let Some(error) = members.get("error").and_then(Value::as_str) {
        return Err(RedisFailure::from_server(error));
    }
    let mut parts = Vec::new();
    flatten(members.remove("result").ok_or_else(no_answer)?, &mut parts)?;
    Ok(parts)
}

fn flatten(value: Value, parts: &mut Vec<Reply>) -> Result<(), RedisFailure> {
    parts.push(match value {
        Value::Null => Reply::Nil,
        Value::Number(number) => Reply::Integer(number.as_i64().ok_or_else(no_answer)?),
        // The one string that is not encoded; in base64 it would be no text of two characters.
        Value::String(text) if text == "OK" => Reply::Status(text),
        Value::String(text) => Reply::Bytes(STANDARD.decode(text).map_err(|_| no_answer())?),
        Value::Array(values) => return values.into_iter().try_for_each(|value| flatten(value, parts)),
        Value::Bool(_) | Value::Object(_) => return Err(no_answer()),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Named, key, namespace, owner};
    use crate::redis::failure::TOO_LARGE_CODE;
    use crate::{Rejection, Slot};
    use proptest::prelude::*;

    fn marker() -> Marker {
        let namespace = Namespace::parse("R_").expect("a namespace");
        Marker::found(&namespace, &[Reply::Bytes(b"token".to_vec())]).expect("a marker")
    }

    fn texts(arguments: &[Argument]) -> Vec<String> {
        arguments.iter().map(|argument| String::from_utf8(argument.clone()).expect("text")).collect()
    }

    #[test]
    fn a_command_is_an_array_of_strings() {
        let body = command(Command::Scan, &[b"0".to_vec(), "\"ü\0".into()]).expect("text");
        assert_eq!(body, r#"["SCAN","0","\"ü\u0000"]"#.as_bytes());
        assert!(matches!(command(Command::Del, &[vec![0xff]]), Err(RedisFailure::Refused(_))));
        let body = pipeline(Command::Eval, &[vec![b"a".to_vec()], vec![]]).expect("text");
        assert_eq!(body, br#"[["EVAL","a"],["EVAL"]]"#);
    }

    #[test]
    fn a_script_is_guarded_by_the_marker_behind_its_own_keys_and_arguments() {
        let all = texts(&marker().guard(Script::unfence(&namespace("R_"), [&key("item:list")], "w")));
        let keys = ["R_a:item:list", "lock:R_a:item:list", "R_~leases", "R_~database"];
        assert_eq!(all[1..], [&["4"], &keys[..], &["w", "token"]].concat());
        assert!(all[0].starts_with(include_str!("scripts/guard.lua")));
        assert!(all[0].contains(include_str!("scripts/unfence.lua")));
        let keeps = "redis.call('PEXPIRE', marker, 900000)";
        assert!(all[0].contains(keeps), "the marker would run out under an instance that goes on");
        let read = texts(&marker().read(&key("item:list"), "1|10"));
        assert!(!read[0].contains(keeps), "a read would be billed as a write");
    }

    #[test]
    fn a_value_is_read_by_a_guarded_script() {
        let limit = MAX_ENTRY_BYTES.to_string();
        let single = texts(&marker().read(&key("item:7"), ""));
        assert!(single[0].ends_with(READ_VALUE));
        assert_eq!(single[3..], ["R_~database", &limit, "token"]);
        let page = texts(&marker().read(&key("item:list"), "1|10"));
        assert!(page[0].ends_with(READ_PAGE) && READ_PAGE.contains(TOO_LARGE_CODE));
        assert_eq!(page[1..], ["2", "R_a:item:list", "R_~database", &limit, "1|10", "token"]);
    }

    #[test]
    fn any_other_command_is_a_guarded_script_too() {
        let all = marker().execute(Command::Del, vec![b"k".to_vec(), vec![0xff]]);
        let all = texts(&all);
        assert!(all[0].starts_with(include_str!("scripts/bytes.lua")) && all[0].ends_with("unpack(ARGV))"));
        assert_eq!(all[1..], ["1", "R_~database", "DEL", "k", "ÿ", "token"]);
    }

    #[test]
    fn a_text_that_is_no_marker_is_refused() {
        let namespace = Namespace::parse("R_").expect("a namespace");
        for answer in [&[][..], &[Reply::Nil], &[Reply::Bytes(Vec::new())], &[Reply::Status("OK".into())]] {
            assert!(matches!(Marker::found(&namespace, answer), Err(RedisFailure::Refused(_))), "{answer:?}");
        }
    }

    #[test]
    fn results_are_read_as_a_connection_would_give_them() {
        let check = |body: &str, expected: &[Reply]| assert_eq!(answer(200, body.as_bytes()), Ok(expected.to_vec()));
        let bytes = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        check(r#"{"result":null}"#, &[Reply::Nil]);
        check(r#"{"result":-3}"#, &[Reply::Integer(-3)]);
        check(r#"{"result":"OK"}"#, &[Reply::Status("OK".into())]);
        check(r#"{"result":"T0s="}"#, &[bytes("OK")]);
        check(r#"{"result":""}"#, &[bytes("")]);
        check(r#"{"result":[]}"#, &[]);
        check(r#"{"result":["MTc=",[null,"a2V5",[4]]]}"#, &[bytes("17"), Reply::Nil, bytes("key"), Reply::Integer(4)]);
    }

    #[test]
    fn an_error_of_redis_is_a_refusal_and_everything_else_is_unavailable() {
        let check = |status, body: &str, expected: &str| {
            let failure = answer(status, body.as_bytes()).expect_err("no result");
            assert_eq!(
                (failure.kind().name(), failure.is_answer()),
                (expected, expected == "refused"),
                "{status} {body}"
            );
        };
        check(400, r#"{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}"#, "refused");
        check(200, r#"{"error":"ERR unknown command"}"#, "refused");
        check(400, r#"{"error":"NOPERM this user has no permissions"}"#, "refused");
        check(400, r#"{"error":"READONLY You can't write against a read only replica."}"#, "refused");
        check(400, r#"{"error":"NOSCRIPT No matching script"}"#, "refused");
        check(400, r#"{"error":"OOM command not allowed"}"#, "refused");
        check(400, r#"{"error":"ERR DB capacity quota exceeded"}"#, "refused");
        // Another database is there: as when a connection breaks off.
        check(400, r#"{"error":"ANOTHER database than the one that was found at first"}"#, "unavailable");
        // Nothing is answered any more, whatever is asked.
        check(400, r#"{"error":"ERR max daily request limit exceeded. Limit: 10000"}"#, "unavailable");
        check(400, r#"{"error":"ERR max requests limit exceeded"}"#, "unavailable");
        check(401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#, "unavailable");
        for status in [204, 302, 403, 404, 405, 429, 500, 502, 503, 504] {
            check(status, r#"{"result":1}"#, "unavailable");
        }
        for body in ["", "<html>", "[]", "{}", "1", r#"{"result":"*"}"#, r#"{"result":1.5}"#, r#"{"result":{}}"#] {
            check(200, body, "unavailable");
        }
    }

    #[test]
    fn a_refused_token_is_told_without_what_was_answered() {
        let failure = answer(401, br#"{"error":"WRONGPASS my-token"}"#).expect_err("no result").to_string();
        assert!(failure.contains("redis_token") && !failure.contains("my-token"), "{failure}");
    }

    #[test]
    fn a_value_of_another_type_is_told_as_by_a_connection() {
        let failure = answer(400, br#"{"error":"WRONGTYPE Operation against a key"}"#).expect_err("no result");
        assert_eq!(failure.rejection(), Some(Rejection::Mistyped));
        assert_eq!(failure, RedisFailure::from_text("WRONGTYPE: Operation against a key"));
    }

    #[test]
    fn each_command_of_a_pipeline_has_its_answer_and_the_first_failure_counts() {
        let two = br#"[{"result":"ZG9uZQ=="},{"result":1}]"#;
        let done = vec![Reply::Bytes(b"done".to_vec())];
        assert_eq!(answers(200, two, 2), Ok(vec![done, vec![Reply::Integer(1)]]));
        assert!(answers(200, two, 3).is_err(), "one has none");
        let failed = answers(200, br#"[{"result":1},{"error":"ERR x"},{"error":"ERR y"}]"#, 3);
        assert_eq!(failed, Err(RedisFailure::Refused("ERR: x".into())));
        assert_eq!(answers(400, br#"{"error":"ERR x"}"#, 1), Err(RedisFailure::Refused("ERR: x".into())));
        assert!(matches!(answers(200, br#"{"result":1}"#, 1), Err(RedisFailure::Unavailable(_))));
    }

    /// As `bytes.lua` does.
    fn back(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut all = Vec::new();
        while let Some(byte) = bytes.next() {
            all.push(match byte {
                194 => bytes.next().expect("a second byte"),
                195 => bytes.next().expect("a second byte") + 64,
                byte => byte,
            });
        }
        all
    }

    proptest! {
        #[test]
        fn bytes_go_as_characters_and_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(back(&characters(&bytes)), bytes);
        }

        #[test]
        fn a_script_can_always_be_written_and_text_goes_as_it_is(value: Vec<u8>) {
            let list = Named("item:list".into());
            let slot = Slot::new(&namespace("R_"), None, &owner("a"), &list, "p");
            let script = Script::fill(&slot, "t", value.clone(), 1);
            let arguments = marker().guard(script);
            let body = command(Command::Eval, &arguments).expect("it is text");
            let sent: Vec<String> = serde_json::from_slice(&body).expect("an array of strings");
            let sent = sent.get(8).expect("the value is the third argument behind three keys");
            match String::from_utf8(value.clone()) {
                Ok(text) => prop_assert_eq!(sent, &text),
                Err(_) => prop_assert_eq!(back(sent), value),
            }
        }

        #[test]
        fn no_answer_is_too_odd(status in 100_u16..600, body: Vec<u8>, count in 0_usize..3) {
            let _ = answer(status, &body);
            let _ = answers(status, &body, count);
        }

        #[test]
        fn every_value_comes_back_from_an_answer(value: Vec<u8>) {
            let body = format!(r#"{{"result":["{}"]}}"#, STANDARD.encode(&value));
            prop_assert_eq!(answer(200, body.as_bytes()), Ok(vec![Reply::Bytes(value)]));
        }
    }
}
