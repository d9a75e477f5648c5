use super::*;

fn check(text: &str, refused: bool) {
    assert_eq!(matches!(RedisFailure::from_text(text), RedisFailure::Refused(_)), refused, "{text}");
}

#[test]
fn only_an_answer_of_the_server_is_a_refusal() {
    check("WRONGTYPE: Operation against a key holding the wrong kind of value", true);
    check("NOAUTH: Authentication required.", true);
    check("OOM: command not allowed when used memory > 'maxmemory'.", true);
    check("An error was signalled by the server - ResponseError: unknown command 'FOO'", true);
    check("An error was signalled by the server - BusyLoadingError: Redis is loading the dataset in memory", true);
    check("An error was signalled by the server- ResponseError", true);
    check("query result exceeds limit of 134217728 bytes", true);
    check("Connection refused (os error 111)", false);
    check("broken pipe", false);
    check("Multiplexed connection driver unexpectedly terminated", false);
    check("timed out", false);
    check("I/O error: reset", false);
    check("failed to lookup address information: Name or service not known", false);
    check("Password authentication failed- AuthenticationFailed", false);
    check("Redis server refused to switch database - ResponseError: DB index is out of range", false);
    check("parse error - ParseError: Parse error at 1", false);
    check("", false);
}

/// As the `redis` crate 1.8.1 and 2.0.0-rc.2 wrote what a server on loopback answered, or did not answer.
#[test]
fn an_answer_is_a_refusal_in_the_spelling_of_later_clients_too() {
    check("ResponseError: unknown command 'FOO'", true);
    check("ResponseError", true);
    check("\"OOM\"", true);
    check("\"WRONGPASS\": invalid username-password pair or user is disabled.", true);
    check("\"NOAUTH\": Authentication required.", true);
    check("\"UNKILLABLE\": Sorry", true);
    check("NoScript: No matching script.", true);
    check("MasterDown: Link with MASTER is down", true);
    check("ExecAbort: Transaction discarded", true);
    check("NotBusy: No scripts in execution right now.", true);
    check("CrossSlot: Keys in request don't hash to the same slot", true);
    check("Password authentication failed - AuthenticationFailed", false);
    check("Redis server refused to switch database - Server(ResponseError): DB index is out of range", false);
    check("Incompatible type - Parse error at 1", false);
}

/// As Redis 7.0.15 in cluster mode answers, and as the `redis` crate 0.32 and 1.8.1 write it.
#[test]
fn a_slot_that_is_not_or_not_wholly_on_this_node_makes_redis_unfit() {
    for text in [
        "An error was signalled by the server - Moved: 3999 127.0.0.1:6381",
        "An error was signalled by the server - TryAgain: Multiple keys request during rehashing of slot",
        "Moved: 3999 127.0.0.1:6381",
        "Ask: 3999 127.0.0.1:6381",
        "ClusterDown: Hash slot not served",
        "\"TRYAGAIN\": Multiple keys request during rehashing of slot",
    ] {
        assert_eq!(RedisFailure::from_text(text).unfit(), Some(Unfit::OtherNode), "{text}");
    }
    for text in [
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "TRYAGAIN Multiple keys request",
        "CLUSTERDOWN The cluster is down",
    ] {
        assert_eq!(RedisFailure::from_server(text).unfit(), Some(Unfit::OtherNode), "{text}");
    }
}

#[test]
fn a_value_that_cannot_be_an_entry_differs_from_other_refusals() {
    let rejection = |text: &str| RedisFailure::from_text(text).rejection();
    assert_eq!(
        rejection("WRONGTYPE: Operation against a key holding the wrong kind of value"),
        Some(Rejection::Mistyped)
    );
    assert_eq!(rejection("query result exceeds limit of 134217728 bytes"), Some(Rejection::TooLarge));
    assert_eq!(rejection("NOPERM: User renttracker has no permissions"), None);
    assert_eq!(rejection("\"WRONGTYPE\": Operation against a key"), Some(Rejection::Mistyped));
    assert_eq!(RedisFailure::too_large(1).rejection(), Some(Rejection::TooLarge));
    assert_eq!(RedisFailure::from_server("TOOLARGE 5 bytes").rejection(), Some(Rejection::TooLarge));
}

#[track_caller]
fn refuses(failure: &RedisFailure, expected: Refusal, message: &str) {
    assert_eq!((failure.refusal(), failure.message().as_str()), (Some(expected), message), "{failure}");
}

/// Each text was answered by a server: Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 9.1.2.
#[test]
fn a_refusal_is_recognised_in_every_version_and_inside_scripts() {
    use Refusal::{Busy, Loading, Misconf, NoPermission, NoReplicas, OutOfMemory, ReadOnly};
    let busy = "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    let full = "Errors writing to the AOF file: No space left on device";
    for (said, expected, message) in [
        ("LOADING Redis is loading the dataset in memory", Loading, "LOADING: Redis is loading the dataset in memory"),
        (&*format!("BUSY {busy}"), Busy, &*format!("BUSY: {busy}")),
        (&format!("MISCONF {full}"), Misconf, &format!("MISCONF: {full}")),
        (&format!("MISCONF {full} script: abcd, on @user_script:40."), Misconf, &format!("MISCONF: {full}")),
        (
            &format!("ERR Error running script (call to f_ab): @user_script:40: @user_script: 40: -MISCONF {full}"),
            Misconf,
            &format!("MISCONF {full}"),
        ),
        (
            "NOREPLICAS Not enough good replicas to write. script: on @user_script:40.",
            NoReplicas,
            "NOREPLICAS: Not enough good replicas to write.",
        ),
        (
            "OOM command not allowed when used memory > 'maxmemory'. script: abcd, on @user_script:40.",
            OutOfMemory,
            "OOM: command not allowed when used memory > 'maxmemory'.",
        ),
        (
            "NOPERM this user has no permissions to run the 'getrange' command",
            NoPermission,
            "NOPERM: this user has no permissions to run the 'getrange' command",
        ),
        (
            "ERR The user executing the script can't run this command or subcommand script: abcd, on @user_script:40.",
            NoPermission,
            "ERR: The user executing the script can't run this command or subcommand",
        ),
        (
            "ERR ACL failure in script: User u has no permissions to run the 'hset' command script: on @user_script:4.",
            NoPermission,
            "ERR: ACL failure in script: User u has no permissions to run the 'hset' command",
        ),
        (
            "READONLY You can't write against a read only replica.",
            ReadOnly,
            "READONLY: You can't write against a read only replica.",
        ),
        ("MASTERDOWN Link with MASTER is down", Refusal::Other, "MASTERDOWN: Link with MASTER is down"),
    ] {
        refuses(&RedisFailure::from_server(said), expected, message);
    }
}

/// As the `redis` crate 0.32.7 writes the codes that it knows.
#[test]
fn a_connection_spells_some_codes_otherwise() {
    let by_connection = |text: &str| RedisFailure::from_text(text);
    refuses(
        &by_connection(
            "An error was signalled by the server - BusyLoadingError: Redis is loading the dataset in memory",
        ),
        Refusal::Loading,
        "BusyLoadingError: Redis is loading the dataset in memory",
    );
    refuses(
        &by_connection("An error was signalled by the server - ReadOnly: You can't write against a read only replica."),
        Refusal::ReadOnly,
        "ReadOnly: You can't write against a read only replica.",
    );
    refuses(
        &by_connection(
            "An error was signalled by the server - ResponseError: Error running script (call to f_ab): \
             @user_script:40: @user_script: 40: -NOREPLICAS Not enough good replicas to write.",
        ),
        Refusal::NoReplicas,
        "NOREPLICAS Not enough good replicas to write.",
    );
    refuses(&by_connection("MISCONF: Errors writing"), Refusal::Misconf, "MISCONF: Errors writing");
}

/// As the `redis` crate 1.8.1 and 2.0.0-rc.2 write them.
#[test]
fn a_full_redis_is_none_that_is_gone_for_later_clients() {
    for (text, expected, message) in [
        (
            "BusyLoading: Redis is loading the dataset in memory",
            Refusal::Loading,
            "BusyLoading: Redis is loading the dataset in memory",
        ),
        ("\"BUSY\": Redis is busy running a script.", Refusal::Busy, "BUSY: Redis is busy running a script."),
        ("\"MISCONF\": Errors writing", Refusal::Misconf, "MISCONF: Errors writing"),
        (
            "\"NOREPLICAS\": Not enough good replicas to write.",
            Refusal::NoReplicas,
            "NOREPLICAS: Not enough good replicas to write.",
        ),
        (
            "NoPerm: User u has no permissions to run the 'get' command",
            Refusal::NoPermission,
            "NoPerm: User u has no permissions to run the 'get' command",
        ),
        (
            "ResponseError: ACL failure in script: User u has no permissions to run the 'hset' command script: on \
             @user_script:4.",
            Refusal::NoPermission,
            "ResponseError: ACL failure in script: User u has no permissions to run the 'hset' command",
        ),
        (
            "\"OOM\": command not allowed when used memory > 'maxmemory'. script: abcd, on @user_script:40.",
            Refusal::OutOfMemory,
            "OOM: command not allowed when used memory > 'maxmemory'.",
        ),
        (
            "ResponseError: Error running script (call to f_ab): @user_script:40: @user_script: 40: -OOM command not \
             allowed when used memory > 'maxmemory'.",
            Refusal::OutOfMemory,
            "OOM command not allowed when used memory > 'maxmemory'.",
        ),
        (
            "ReadOnly: You can't write against a read only replica.",
            Refusal::ReadOnly,
            "ReadOnly: You can't write against a read only replica.",
        ),
        ("MasterDown: Link with MASTER is down", Refusal::Other, "MasterDown: Link with MASTER is down"),
    ] {
        refuses(&RedisFailure::from_text(text), expected, message);
    }
}

#[test]
fn errors_about_a_value_and_missing_answers_are_no_refusals() {
    for failure in [
        RedisFailure::from_server("WRONGTYPE Operation against a key"),
        RedisFailure::too_large(1),
        RedisFailure::TimedOut,
        RedisFailure::Unavailable("LOADING".into()),
    ] {
        assert_eq!(failure.refusal(), None, "{failure}");
    }
    assert_eq!(RedisFailure::TimedOut.message(), "no answer within the deadline");
    assert_eq!(RedisFailure::Unavailable("it is a replica".into()).message(), "unavailable: it is a replica");
}

#[test]
fn a_script_is_sent_whole_where_its_hash_is_unknown_or_may_not_be_sent() {
    for text in [
        "An error was signalled by the server - NoScriptError: Please use EVAL.",
        "NoScript: No matching script. Please use EVAL.",
        "NOSCRIPT: No matching script. Please use EVAL.",
        "NOPERM: this user has no permissions to run the 'evalsha' command",
        "NoPerm: User renttracker has no permissions to run the 'evalsha' command",
    ] {
        assert!(RedisFailure::from_text(text).wants_the_text(), "{text}");
    }
    for text in [
        "NOPERM: this user has no permissions to run the 'eval' command",
        "OOM: command not allowed when used memory > 'maxmemory'.",
        "connection reset by peer",
    ] {
        assert!(!RedisFailure::from_text(text).wants_the_text(), "{text}");
    }
}
