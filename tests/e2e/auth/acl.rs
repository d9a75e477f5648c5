//! `infra/redis/users.acl`, loaded into a real Redis: who may do what.

use std::collections::BTreeSet;

use redis::{Connection, RedisResult, Value};

use crate::support::secured::{COMPONENTS, Secured, committed};
use crate::support::{scratch, trials};

trials![
    the_committed_file_lets_no_user_in,
    the_components_may_run_the_commands_they_use_and_no_others,
    the_components_may_touch_their_own_keys_and_no_others,
    users_without_their_password_are_refused,
];

/// What Redis lets everybody say, whatever the file says: without it nobody could log in.
const WITHOUT_PERMISSION: [&str; 4] = ["auth", "hello", "quit", "reset"];

/// What the components may run.
pub fn allowed() -> BTreeSet<String> {
    let users = committed();
    let line = users.lines().find(|line| line.starts_with("user renttracker ")).expect("the components' user");
    line.split_whitespace().filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect()
}

fn connect(secured: &Secured, user: &str, password: &str) -> RedisResult<Connection> {
    let url = format!("redis://{user}:{password}@127.0.0.1:{}", secured.redis.port());
    redis::Client::open(url)?.get_connection()
}

/// What Redis said to these words, when it is an error.
fn refusal(connection: &mut Connection, words: &[String]) -> Option<String> {
    let mut command = redis::Cmd::new();
    command.arg(words);
    command.query::<Value>(connection).err().map(|error| error.to_string())
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn the_committed_file_lets_no_user_in() {
    let folder = scratch("redis");
    std::fs::create_dir_all(&folder).expect("a folder");
    let users = folder.join("users.acl");
    std::fs::write(&users, committed()).expect("written");
    // The default user is off as well, so no server could be asked whether it is up: it is loaded into one that is.
    let empty = folder.join("loaded.acl");
    std::fs::write(&empty, "").expect("written");
    let redis =
        stack::Redis::start_with(&folder, 0, &["--aclfile", empty.to_str().expect("UTF-8")]).expect("Redis starts");
    let mut before = redis::Client::open(redis.url()).and_then(|client| client.get_connection()).expect("a connection");
    std::fs::copy(&users, &empty).expect("copied");
    redis::cmd("ACL").arg("LOAD").exec(&mut before).expect("the file is well-formed");
    let tries = [("default", "x"), ("renttracker", ""), ("renttracker", "x"), ("operator", ""), ("operator", "x")];
    for (user, password) in tries {
        let url = format!("redis://{user}:{password}@127.0.0.1:{}", redis.port());
        let connected = redis::Client::open(url).and_then(|client| client.get_connection());
        let answer = connected.and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
        assert!(answer.is_err(), "{user} got in with {password:?}");
    }
}

fn the_components_may_run_the_commands_they_use_and_no_others() {
    let secured = Secured::start("127.0.0.1");
    let mut operator =
        redis::Client::open(secured.redis.url()).and_then(|client| client.get_connection()).expect("the operator");
    let mut components = connect(&secured, "renttracker", COMPONENTS).expect("the components");
    let all: Vec<String> = redis::cmd("COMMAND").arg("LIST").query(&mut operator).expect("the commands");
    let mut refused = 0;
    for name in &all {
        let is_container = all.iter().any(|other| other.starts_with(&format!("{name}|")));
        if is_container || allowed().contains(name) || WITHOUT_PERMISSION.contains(&name.as_str()) {
            continue;
        }
        let info: Vec<Vec<Value>> = redis::cmd("COMMAND").arg("INFO").arg(name).query(&mut operator).expect("about it");
        let Some(Value::Int(arity)) = info.first().and_then(|about| about.get(1)) else {
            panic!("{name} has no arity: {info:?}");
        };
        let mut words: Vec<String> = name.split('|').map(str::to_owned).collect();
        let length = usize::try_from(arity.unsigned_abs()).expect("small").max(words.len());
        words.resize(length, "RentTracker_t:x".into());
        let error = refusal(&mut components, &words).unwrap_or_else(|| panic!("{words:?} is allowed"));
        assert!(error.contains("no permissions to run"), "{words:?}: {error}");
        refused += 1;
    }
    assert!(refused > 300, "{refused} of {} commands were tried", all.len());
    println!("commands that the components do not use: {refused} tried, 0 got through");
}

fn the_components_may_touch_their_own_keys_and_no_others() {
    let secured = Secured::start("127.0.0.1");
    let mut components = connect(&secured, "renttracker", COMPONENTS).expect("the components");
    let commands = [
        "get KEY",
        "getrange KEY 0 1",
        "set KEY v",
        "del KEY",
        "type KEY",
        "pttl KEY",
        "pexpire KEY 1",
        "hget KEY f",
        "hset KEY f v",
        "hdel KEY f",
        "hexists KEY f",
        "hgetall KEY",
        "hkeys KEY",
        "hlen KEY",
        "hrandfield KEY",
        "hstrlen KEY f",
        "del RentTracker_t:x KEY",
    ];
    let scripts = [
        ("return 1", "1 KEY"),
        ("return redis.call('GET', KEYS[1])", "1 KEY"),
        ("return redis.call('GET', ARGV[1])", "0 KEY"),
        ("return redis.call('SET', ARGV[1], 'v')", "1 RentTracker_t:x KEY"),
        ("return redis.call('FLUSHALL', ARGV[1])", "0 KEY"),
        ("return redis.pcall('KEYS', ARGV[1])", "0 KEY"),
    ];
    let script = |(source, rest): (&str, &str), key: &str| {
        [vec!["eval".into(), source.into()], words(&rest.replace("KEY", key))].concat()
    };
    for own in
        ["RentTracker_t:x", "lock:RentTracker_t:x", "RentTracker_~x", "{RentTracker_}t:x", "lock:{RentTracker_}t:x"]
    {
        for command in commands {
            redis::cmd("EVAL").arg("redis.call('DEL', KEYS[1])").arg(1).arg(own).exec(&mut components).expect("gone");
            assert_eq!(refusal(&mut components, &words(&command.replace("KEY", own))), None, "{command} of {own}");
        }
        for allowed in &scripts[..3] {
            assert_eq!(refusal(&mut components, &script(*allowed, own)), None, "{allowed:?} of {own}");
        }
    }
    let mut refused = 0;
    for foreign in [
        "x",
        "Other_t:x",
        "lock:Other_t:x",
        "lock:lock:RentTracker_t:x",
        "renttracker_t:x",
        "{RentTracker_t:x",
        "{renttracker_}t:x",
        "RentTracker",
        "*RentTracker_",
        "~",
    ] {
        let commands = commands.iter().map(|command| words(&command.replace("KEY", foreign)));
        for tried in commands.chain(scripts.iter().map(|allowed| script(*allowed, foreign))) {
            let error = refusal(&mut components, &tried).unwrap_or_else(|| panic!("{tried:?} is allowed"));
            assert!(error.contains("no permissions") || error.contains("can't"), "{tried:?}: {error}");
            refused += 1;
        }
    }
    println!("keys of others: {refused} commands tried, 0 got through");
}

fn users_without_their_password_are_refused() {
    let secured = Secured::start("127.0.0.1");
    for (user, password) in [("", COMPONENTS), ("default", ""), ("renttracker", "x"), ("operator", COMPONENTS)] {
        let answer = connect(&secured, user, password).and_then(|mut it| redis::cmd("PING").query::<String>(&mut it));
        assert!(answer.is_err(), "{user:?} got in");
    }
    let url = format!("redis://127.0.0.1:{}", secured.redis.port());
    let mut nobody = redis::Client::open(url).and_then(|client| client.get_connection()).expect("a connection");
    for tried in ["get RentTracker_t:x", "ping x", "info server"] {
        let error = refusal(&mut nobody, &words(tried)).unwrap_or_else(|| panic!("{tried} is answered"));
        assert!(error.contains("NOAUTH") || error.contains("uthentication"), "{tried}: {error}");
    }
}
