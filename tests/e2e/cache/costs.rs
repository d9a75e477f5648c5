//! What a hit, a miss and a write cost, in counts: those are the same on every machine and at every load.
//!
//! What goes to Redis and to PostgreSQL is asserted here. Every command, those inside scripts included, every call of the
//! host and every WebAssembly instruction is held against `costs.json`, the last within 2 %;
//! `RENTTRACKER_COSTS=write cargo xtask test costs` writes it anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use stack::Runtime;

use crate::support::{Place, Private, World, eventually, property_path, runtime, trials, writes_are_chained};

trials![
    a_hit_is_one_command_and_no_statement,
    a_hit_on_a_list_is_one_command_and_no_statement,
    a_miss_is_one_command_two_scripts_and_one_statement,
    a_write_is_two_scripts_and_one_statement_and_then_its_outbox,
    the_first_miss_of_an_instance_asks_for_the_state_of_the_database,
    commands_host_calls_and_instructions_are_those_of_the_baseline,
];

/// How many requests are counted. With those that warm up they are fewer than an instance answers in its life (128), so
/// that one instance answers them all.
const REQUESTS: usize = 40;
/// How many go before: an instance's first request opens its connection and loads the scripts.
const WARM_UP: usize = 20;
/// How far instructions may be from the baseline: a clock's digits are not always as many.
const TOLERANCE: f64 = 0.02;
/// The same for a request that waits for more than one answer ([`AWAITED`]): each may take a poll more, some 1,500 instructions.
/// Beside three other trials a miss was 2.05 % above itself alone.
const TOLERANCE_OF_MANY: f64 = 0.04;
/// What a connection says when it is opened, by an instance or by these tests.
const OPENING: [&str; 6] = ["client|setinfo", "client|setname", "command", "hello", "info", "select"];

/// A deadline is started only when what it is for is not ready at once, which is a matter of the moment.
const DEADLINE: &str = "monotonic-clock/wait-for";
/// A request reads the clock once each time that it is polled. A call of [`AWAITED`] that is ready at once takes one poll,
/// another one more: so the readings may exceed the baseline by one for each such call.
const CLOCK: &str = "monotonic-clock/now";
/// The calls of the host that a request waits for.
const AWAITED: [&str; 4] = [
    "client/send",
    "postgres/[method]connection.query-async",
    "postgres/[static]connection.open-async",
    "redis/[method]connection.execute",
];
/// What a component sends; the other commands are those that a script runs inside Redis.
const SENT: [&str; 5] = ["eval", "evalsha", "get", "getrange", "hget"];

type Counts = BTreeMap<String, u64>;

/// One kind of request, sent again and again.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Hit,
    ListHit,
    Miss,
    Write,
}

/// A landlord with as many properties as there are requests to send.
struct Landlord {
    place: Place,
    cold: Vec<String>,
}

impl Landlord {
    fn of(own: &Private) -> Landlord {
        let place = Place::of(own.tenant());
        let statement = "INSERT INTO properties (tenant_id, id, address) \
            SELECT $1, gen_random_uuid(), 'No ' || n FROM generate_series(1, $2::bigint) n RETURNING id::text";
        let count = i64::try_from(WARM_UP + REQUESTS + 1).expect("a few");
        let cold = own.query(statement, &[&place.who.id, &count]).iter().map(|row| row.get(0)).collect();
        Landlord { place, cold }
    }

    fn send(&self, kind: Kind, number: usize) {
        let (who, property) = (&self.place.who, self.place.property_path());
        match kind {
            Kind::Hit => drop(who.get(&property).is(200)),
            Kind::ListHit => drop(who.get("/api/properties?pageSize=50").is(200)),
            Kind::Miss => drop(who.get(&property_path(&self.cold[number])).is(200)),
            Kind::Write => drop(who.put(&property, &json!({ "address": "1 Main St", "weeklyRentAmount": 1 })).is(200)),
        }
    }
}

fn commands(own: &Private) -> Counts {
    let info: redis::InfoDict = own.redis_command(&["INFO", "commandstats"]);
    let count = |value: &redis::Value| {
        let text: String = redis::from_redis_value(value).ok()?;
        text.strip_prefix("calls=")?.split(',').next()?.parse().ok()
    };
    let named =
        info.iter().filter_map(|(name, value)| Some((name.strip_prefix("cmdstat_")?.to_owned(), count(value)?)));
    named.filter(|(name, _)| !OPENING.contains(&name.as_str())).collect()
}

/// Statements by what they are for. Comparing a sample of the hits is no part of a request, and these tests look too.
fn statements(own: &Private) -> Counts {
    let statement = "SELECT CASE WHEN query ~ 'outbox_remove' THEN 'outbox' \
            WHEN query ~ '(create|replace|delete)_(property|payment)\\(' THEN 'write' ELSE 'read' END, sum(calls)::bigint \
        FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
        WHERE d.datname = current_database() AND query ~* '\\m(properties|payments|cache_invalidations|outbox_\\w+|tenant)\\M' \
            AND query !~* '^select from' AND NOT (query ~* 'select row_version from' AND query !~* 'for update') GROUP BY 1";
    let rows = own.query(statement, &[]);
    rows.iter().map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).expect("a count"))).collect()
}

/// What has come to it.
fn since(before: &Counts, now: &Counts) -> Counts {
    let more = |(name, count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or_default());
    now.iter().map(more).filter(|(_, count)| *count > 0).collect()
}

/// What is left of these commands without those of `count.lua`, which leaves an instance's first counts in Redis: an instance may
/// be made at any time. No other script of these requests counts fields.
fn without_counting(mut commands: Counts) -> Counts {
    let times = commands.get("hlen").copied().unwrap_or_default();
    for name in ["evalsha", "hlen", "hset", "pexpire"] {
        if let Some(count) = commands.get_mut(name) {
            *count -= times;
        }
    }
    commands.retain(|_, count| *count > 0);
    commands
}

/// Sends [`REQUESTS`] of this kind, asserts the commands of one of them, and answers the statements of all.
fn statements_of(kind: Kind, expected_commands: &[(&str, u64)]) -> Counts {
    let own = Private::start();
    let landlord = Landlord::of(&own);
    (0..WARM_UP).for_each(|number| landlord.send(kind, number));
    let nothing_left = || own.query("SELECT FROM cache_invalidations", &[]).is_empty().then_some(());
    eventually("the outbox is empty", nothing_left);
    let (commands_before, statements_before) = (commands(&own), statements(&own));
    (0..REQUESTS).for_each(|number| landlord.send(kind, WARM_UP + number));
    let mut sent = without_counting(since(&commands_before, &commands(&own)));
    sent.retain(|name, _| SENT.contains(&name.as_str()));
    assert_eq!(sent, of_all(expected_commands), "what {REQUESTS} times {kind:?} send to Redis");
    eventually("the outbox is empty", nothing_left);
    since(&statements_before, &statements(&own))
}

fn of_all(expected: &[(&str, u64)]) -> Counts {
    expected.iter().map(|(name, count)| ((*name).to_owned(), count * REQUESTS as u64)).collect()
}

fn a_hit_is_one_command_and_no_statement() {
    assert_eq!(statements_of(Kind::Hit, &[("getrange", 1)]), of_all(&[]));
}

fn a_hit_on_a_list_is_one_command_and_no_statement() {
    assert_eq!(statements_of(Kind::ListHit, &[("hget", 1)]), of_all(&[]));
}

fn a_miss_is_one_command_two_scripts_and_one_statement() {
    // The script that stores looks for its own lock, which is the HGET.
    let commands = [("evalsha", 2), ("getrange", 1), ("hget", 1)];
    assert_eq!(statements_of(Kind::Miss, &commands), of_all(&[("read", 1)]));
}

fn a_write_is_two_scripts_and_one_statement_and_then_its_outbox() {
    let statements = statements_of(Kind::Write, &[("evalsha", 2)]);
    let count = |name: &str| statements.get(name).copied().unwrap_or_default();
    assert_eq!(count("write"), REQUESTS as u64, "{statements:?}");
    // After the answers, for all writes of a moment at once: their rows are removed, and dead writers' are looked for.
    assert!((1..REQUESTS as u64).contains(&count("outbox")), "{statements:?}");
    assert_eq!(count("read"), count("outbox"), "{statements:?}");
}

/// How often PostgreSQL was asked for its state.
fn questions(own: &Private) -> i64 {
    let statement = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
        WHERE d.datname = current_database() AND query ~ 'FROM database_state' AND query !~ 'pg_stat_statements'";
    own.query(statement, &[])[0].get(0)
}

/// How many connections Redis has taken: one for each instance that was made, at most, and for each look by a test.
fn connections(own: &World) -> i64 {
    let info: redis::InfoDict = own.redis_command(&["INFO", "stats"]);
    info.get("total_connections_received").expect("a number")
}

/// That is one statement more, for all that an instance stores or writes within five seconds; then it asks in the background.
fn the_first_miss_of_an_instance_asks_for_the_state_of_the_database() {
    let own = Private::start();
    let landlord = Landlord::of(&own);
    let after_setup = questions(&own);
    // Setup writes a property and payments. With chaining `writes` has asked; without, both reading components have.
    let (writers, further_readers) = if writes_are_chained() { (1, 1) } else { (2, 0) };
    // On a busy machine a host makes one instance more for a client that sends one request after another.
    assert!((writers..=writers + 1).contains(&after_setup), "{after_setup}: each instance that writes has asked once");
    landlord.send(Kind::Miss, 0);
    assert_eq!(questions(&own), after_setup + further_readers, "and so has that which reads");
    let (began, before) = (std::time::Instant::now(), connections(&own));
    (1..=REQUESTS).for_each(|number| landlord.send(Kind::Miss, number));
    // Less that of the second look.
    let made = connections(&own) - before - 1;
    // Anew in the second half of five seconds.
    let renewals = i64::try_from(began.elapsed().as_millis() / 2_500).expect("a short time") + 1;
    let asked = questions(&own) - after_setup - further_readers;
    assert!(asked <= renewals + made, "{asked} of {made} further instances in {:?}", began.elapsed());
}

/// A line of the host's meter.
struct Reading {
    event: String,
    component: String,
    instance: u64,
    fuel: u64,
    calls: Counts,
}

fn calls_of(line: &Value) -> Counts {
    let mut calls: Counts = serde_json::from_value(line["calls"].clone()).unwrap_or_default();
    calls.remove(DEADLINE);
    calls
}

/// What the host has written until now: a line when an instance is made, at the start of each request, and at its end. The first
/// has neither instructions nor calls.
fn all_readings(own: &Private) -> Vec<Reading> {
    let text = std::fs::read_to_string(own.meter()).expect("the meter's file");
    let parse = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        Reading {
            event: line["event"].as_str().expect("an event").to_owned(),
            component: line["component"].as_str().expect("a component").to_owned(),
            instance: line["instance"].as_u64().expect("a number"),
            fuel: line["fuel"].as_u64().unwrap_or_default(),
            calls: calls_of(&line),
        }
    };
    // The host may be in the middle of a line.
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete.lines().map(parse).collect()
}

/// The starts of requests.
fn readings(own: &Private) -> Vec<Reading> {
    all_readings(own).into_iter().filter(|reading| reading.event == "request").collect()
}

/// What one request of this kind costs: commands in Redis, calls of the host, and instructions by component.
///
/// What instances do in the background (their lease, their counters) falls between some requests and not between others.
/// So the calls are those of most requests, the readings of the clock are the fewest of any, and the instructions are the
/// median.
fn meter(own: &Private, landlord: &Landlord, kind: Kind) -> Value {
    (0..WARM_UP).for_each(|number| landlord.send(kind, number));
    let (commands_before, before) = (commands(own), readings(own).len());
    (0..REQUESTS).for_each(|number| landlord.send(kind, WARM_UP + number));
    let each = |(name, count)| (name, count as f64 / REQUESTS as f64);
    let sent = without_counting(since(&commands_before, &commands(own)));
    let commands: BTreeMap<String, f64> = sent.into_iter().map(each).collect();
    // One more, for what a request cost is read at the start of the next.
    landlord.send(kind, WARM_UP + REQUESTS);
    let readings = readings(own).split_off(before);

    let mut seen: BTreeMap<Counts, usize> = BTreeMap::new();
    let mut clock = u64::MAX;
    let first: Vec<&Reading> = readings.iter().filter(|reading| reading.component == "property-reads").collect();
    for pair in first.windows(2) {
        let mut calls = since(&pair[0].calls, &pair[1].calls);
        clock = clock.min(calls.remove(CLOCK).unwrap_or_default());
        *seen.entry(calls).or_default() += 1;
    }
    let mut calls = most(seen);
    calls.insert(CLOCK.to_owned(), clock);

    let mut fuel: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    // What adds up the counts does so at no request's cost.
    for reading in readings.iter().filter(|reading| reading.component != "aggregator") {
        if let Some(before) = last.insert(reading.instance, reading.fuel) {
            fuel.entry(&reading.component).or_default().push(reading.fuel - before);
        }
    }
    let median = |mut values: Vec<u64>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    let fuel: BTreeMap<&str, u64> = fuel.into_iter().map(|(component, values)| (component, median(values))).collect();
    json!({ "commands": commands, "calls": calls, "instructions": fuel })
}

/// What a hit under a read lease costs. Some of the requests renew the lease; that the others send no command is in `read_lease`.
fn meter_leased_hit() -> Value {
    let own = Private::metered_with_read_leases();
    let costs = meter(&own, &Landlord::of(&own), Kind::Hit);
    json!({ "calls": costs["calls"], "instructions": costs["instructions"] })
}

/// How often an instance's first request is measured. Each takes as long as counts stay in an instance.
const FIRST_REQUESTS: usize = 8;

/// What a hit costs where no instance is used twice, with what is done after the answer: it is each time an instance's first
/// request. Left out are the readings of the clock, and the instructions of `aggregator`, which grow with the totals.
fn meter_first_hit() -> Value {
    let own = Private::metered_without_reuse();
    let landlord = Landlord::of(&own);
    let send = || {
        landlord.send(Kind::Hit, 0);
        eventually("all instances have ended", || {
            let readings = all_readings(&own);
            let of = |event: &str| readings.iter().filter(|reading| reading.event == event).count();
            (of("instance") == of("end")).then_some(readings)
        })
    };
    let (mut readings, mut commands_before) = (send(), commands(&own));
    let (mut calls, mut sent, mut fuel) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for _ in 0..FIRST_REQUESTS {
        let before = std::mem::replace(&mut readings, send());
        let mut called = since(&last_calls(&before), &last_calls(&readings));
        called.remove(CLOCK);
        *calls.entry(called).or_insert(0) += 1;
        let now = commands(&own);
        *sent.entry(since(&commands_before, &now)).or_insert(0) += 1;
        commands_before = now;
        let ended = readings[before.len()..].iter().filter(|reading| reading.event == "end");
        fuel.extend(ended.filter(|reading| reading.component == "property-reads").map(|reading| reading.fuel));
    }
    fuel.sort_unstable();
    let commands: BTreeMap<String, f64> = most(sent).into_iter().map(|(name, count)| (name, count as f64)).collect();
    json!({ "commands": commands, "calls": most(calls), "instructions": { "property-reads": fuel[fuel.len() / 2] } })
}

/// What was seen most often: at most one of 64 hits, and one a second, is compared with PostgreSQL; which one is chance.
fn most(seen: BTreeMap<Counts, usize>) -> Counts {
    seen.into_iter().max_by_key(|(_, count)| *count).expect("requests").0
}

fn last_calls(readings: &[Reading]) -> Counts {
    readings.last().map(|reading| reading.calls.clone()).unwrap_or_default()
}

/// How the components were built, which `cargo xtask build` notes beside them: instructions can only be compared where
/// compiler and profile are the baseline's. Components that are newer than the note were built by something else.
fn build() -> Value {
    let folder = stack::repository_root().join("target/wasm32-wasip2/release");
    let age = |name: &str| folder.join(name).metadata().and_then(|file| file.modified()).ok();
    let is_current = ["property_reads.wasm", "writes.wasm"].iter().all(|name| age(name) <= age("build.json"));
    let note = std::fs::read(folder.join("build.json")).ok().filter(|_| is_current);
    note.and_then(|note| serde_json::from_slice(&note).ok()).unwrap_or_else(|| "something else".into())
}

fn baseline() -> PathBuf {
    stack::repository_root().join("tests/costs.json")
}

/// Holds the calls of the host by one request to the baseline's; [`CLOCK`] says what is allowed to the clock. How many of the
/// calls it waits for.
fn assert_same_calls(name: &str, calls: &Value, expected: &Value) -> u64 {
    let parse = |calls: &Value| -> Counts { serde_json::from_value(calls.clone()).expect("calls") };
    let (mut calls, mut expected) = (parse(calls), parse(expected));
    let [clock, baseline] = [&mut calls, &mut expected].map(|calls| calls.remove(CLOCK).unwrap_or_default());
    assert_eq!(calls, expected, "calls of the host by one {name}");
    let awaited: u64 = AWAITED.iter().filter_map(|call| calls.get(*call)).sum();
    assert!(clock <= baseline + awaited, "one {name} reads the clock {clock} times; the baseline is {baseline}");
    awaited
}

fn commands_host_calls_and_instructions_are_those_of_the_baseline() {
    if runtime() != Runtime::Embedded {
        println!("NOT MEASURED: host calls and instructions, which only the embedded host counts");
        return;
    }
    let own = Private::metered();
    let landlord = Landlord::of(&own);
    let kinds = [("hit", Kind::Hit), ("list hit", Kind::ListHit), ("miss", Kind::Miss), ("write", Kind::Write)];
    let mut costs: Map<String, Value> =
        kinds.into_iter().map(|(name, kind)| (name.to_owned(), meter(&own, &landlord, kind))).collect();
    costs.insert("first hit".to_owned(), meter_first_hit());
    costs.insert("hit under a read lease".to_owned(), meter_leased_hit());
    let now = json!({ "build": build(), "costs": costs });
    if std::env::var("RENTTRACKER_COSTS").is_ok_and(|order| order == "write") {
        let text = serde_json::to_string_pretty(&now).expect("JSON") + "\n";
        std::fs::write(baseline(), text).expect("the baseline can be written");
        println!("WRITTEN: {}", baseline().display());
        return;
    }
    let text = std::fs::read_to_string(baseline()).expect("the baseline");
    let then: Value = serde_json::from_str(&text).expect("the baseline is JSON");
    let is_comparable = now["build"] == then["build"];
    if !is_comparable {
        println!("NOT COMPARED: instructions; built by {}, the baseline by {}", now["build"], then["build"]);
    }
    let [measured, baseline] = [&now, &then].map(|costs| costs["costs"].as_object().expect("costs"));
    assert!(measured.keys().eq(baseline.keys()), "what is measured is what the baseline has");
    for (name, expected) in baseline {
        let costs = &now["costs"][name];
        assert_eq!(costs["commands"], expected["commands"], "commands of one {name}");
        let awaited = assert_same_calls(name, &costs["calls"], &expected["calls"]);
        let tolerance = if awaited > 1 { TOLERANCE_OF_MANY } else { TOLERANCE };
        for (component, baseline) in expected["instructions"].as_object().expect("instructions") {
            let (baseline, measured) = (baseline.as_f64(), costs["instructions"][component].as_f64());
            let (baseline, measured) = baseline.zip(measured).expect("numbers");
            let change = measured / baseline - 1.0;
            println!("{name}, {component}: {measured} instructions, {:+.2} %", 100.0 * change);
            assert!(
                !is_comparable || change.abs() <= tolerance,
                "one {name} takes {measured} instructions of {component}; the baseline is {baseline}"
            );
        }
    }
}
