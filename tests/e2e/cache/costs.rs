//! What a hit, a miss and a write cost, in counts: those are the same on every machine and at every load.
//!
//! What goes to Redis and to PostgreSQL is asserted here. Commands, calls of the host and instructions are held against `costs.json` by
//! [`baseline`].

mod baseline;

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Place, Private, World, eventually, property_path, trials, writes_are_chained};
use baseline::commands_host_calls_and_instructions_are_those_of_the_baseline;

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
/// What a connection says when it is opened, by an instance or by these tests.
const OPENING: [&str; 6] = ["client|setinfo", "client|setname", "command", "hello", "info", "select"];

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
