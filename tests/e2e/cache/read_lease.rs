//! Read leases: an instance answers again from what it got a moment ago, and a write waits until nobody does any more.

use crate::support::{Cache, Place, Private, World, eventually, trials};
use serde_json::json;
use stack::Host;

trials![
    a_hot_key_costs_no_command,
    a_write_by_a_host_without_read_leases_waits_for_those_of_another,
    a_purge_waits_for_read_leases,
    a_write_whose_fence_is_lost_waits_for_read_leases,
    what_is_leased_is_answered_to_its_owner_alone,
    sealed_entries_are_leased_too,
    no_host_keeps_anything_unless_it_is_told_to,
];

/// The longest that there is.
const LEASES: [(&str, &str); 1] = [("read_lease_ms", "50")];
/// How many reads follow each other at most until one is answered under a lease.
const READS: usize = 200;

/// Reads until an answer comes under a lease.
fn lease(place: &Place, target: &str) {
    eventually("an answer under a read lease", || {
        (0..READS).any(|_| place.who.get(target).is(200).cache() == Cache::Lease).then_some(())
    });
}

/// A landlord who sends his requests to this host.
fn at(host: &World, place: &Place) -> Place {
    Place { who: host.tenant_named(&place.who.id), property: place.property.clone(), payment: place.payment.clone() }
}

fn commands(own: &Private, name: &str) -> u64 {
    let info: redis::InfoDict = own.redis_command(&["INFO", "commandstats"]);
    let text: String = info.get(&format!("cmdstat_{name}")).unwrap_or_default();
    text.strip_prefix("calls=").and_then(|text| text.split(',').next()?.parse().ok()).unwrap_or_default()
}

fn a_hot_key_costs_no_command() {
    let own = Private::with(&LEASES);
    let place = Place::of(own.tenant());
    for (target, command) in [(place.property_path(), "getrange"), (place.payments_path(), "hget")] {
        lease(&place, &target);
        let before = commands(&own, command);
        let (mut leased, mut asked) = (Vec::new(), Vec::new());
        while leased.len() + asked.len() < READS || asked.is_empty() {
            let answer = place.who.get(&target).is(200);
            if answer.cache() == Cache::Lease { leased.push(answer) } else { asked.push(answer) }
        }
        assert_eq!(commands(&own, command) - before, asked.len() as u64, "{target}");
        assert!(leased.len() > asked.len(), "{target}: {} under a lease, {} not", leased.len(), asked.len());
        let [one, other] = [&leased[0], &asked[0]];
        assert_eq!((&one.body, one.header("etag")), (&other.body, other.header("etag")), "{target}");
        assert_eq!(one.needs("cache-status"), "RentTracker; hit; detail=lease");
        let series = format!("renttracker_cache_lookups_total{{kind=\"{}\",result=\"lease\"}}", kind(command));
        eventually("it is counted", || (own.metric(&series) >= leased.len() as u64).then_some(()));
    }
}

fn kind(command: &str) -> &'static str {
    if command == "hget" { "list" } else { "single" }
}

/// Hosts are given another variable one after the other, so some may answer under leases while others know of none.
fn a_write_by_a_host_without_read_leases_waits_for_those_of_another() {
    let own = Private::with(&LEASES);
    let place = Place::of(own.tenant());
    let (mut host, other): (Host, World) = own.another_host_with(&[("read_lease_ms", "0")]);
    let writer = at(&other, &place);
    for number in 1..=40 {
        lease(&place, &place.property_path());
        let written = writer.who.put(&place.property_path(), &json!({ "address": format!("{number} Main St") }));
        let version = written.is(200).json()["rowVersion"].clone();
        let read = place.who.get(&place.property_path()).is(200);
        assert_eq!(read.json()["rowVersion"], version, "{read}");
    }
    host.stop().expect("the host lived to the end");
}

fn a_purge_waits_for_read_leases() {
    let own = Private::with(&LEASES);
    let place = Place::of(own.tenant());
    let (mut host, other): (Host, World) = own.another_host_with(&[("read_lease_ms", "0")]);
    let purger = at(&other, &place);
    for number in 1..=10 {
        lease(&place, &place.property_path());
        // Behind the API's back.
        let address = format!("{number} Main St");
        own.execute("UPDATE properties SET address = $1 WHERE id::text = $2", &[&address, &place.property]);
        purger.who.delete("/api/cache?pattern=*").is(200);
        let read = place.who.get(&place.property_path()).is(200);
        assert_eq!(read.json()["address"], address.as_str(), "{read}");
    }
    host.stop().expect("the host lived to the end");
}

/// While it waits for a row's lock Redis loses its fence, and a reader stores and keeps what is about to be replaced.
fn a_write_whose_fence_is_lost_waits_for_read_leases() {
    let own = Private::with(&LEASES);
    let place = Place::of(own.tenant());
    let (path, lock) =
        (place.property_path(), format!("lock:{}", own.key(&place.who, &format!("property:{}", place.property))));
    for number in 1..=5 {
        lease(&place, &path);
        let mut sql = own.sql();
        let mut holder = sql.transaction().expect("a transaction");
        holder.execute("SELECT FROM properties WHERE id::text = $1 FOR UPDATE", &[&place.property]).expect("a lock");
        let written = std::thread::scope(|scope| {
            let writing = scope.spawn(|| place.who.put(&path, &json!({ "address": format!("{number} Main St") })));
            let has_fence = || own.redis_command::<i64>(&["HLEN", &lock]) > 0;
            eventually("a fence", || has_fence().then_some(()));
            let _: i64 = own.redis_command(&["DEL", &lock]);
            lease(&place, &path);
            holder.commit().expect("the lock is given back");
            writing.join().expect("an answer").is(200).json()["rowVersion"].clone()
        });
        let read = place.who.get(&path).is(200);
        assert_eq!(read.json()["rowVersion"], written, "{read}");
    }
}

fn what_is_leased_is_answered_to_its_owner_alone() {
    let own = Private::with(&LEASES);
    let (place, stranger) = (Place::of(own.tenant()), own.tenant());
    for _ in 0..20 {
        lease(&place, &place.property_path());
        stranger.get(&place.property_path()).problem(404);
        own.bearer(&place.who.id, "not.a.token".into()).get(&place.property_path()).problem(401);
    }
}

fn sealed_entries_are_leased_too() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let own = Private::with(&[LEASES[0], ("cache_seal_key", key)]);
    let place = Place::of(own.tenant());
    for target in place.routes() {
        let first = place.who.await_hit(&target);
        lease(&place, &target);
        assert_eq!(place.who.get(&target).is(200).body, first.body, "{target}");
    }
}

fn no_host_keeps_anything_unless_it_is_told_to() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    for _ in 0..READS {
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit);
    }
    let noted: bool = own.redis_command(&["EXISTS", &format!("{}~leases", own.instance)]);
    assert!(!noted);
}
