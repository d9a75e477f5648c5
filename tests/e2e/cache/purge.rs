//! `DELETE /api/cache`: a landlord's own values, by the pattern of their names, and nothing else.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Answer, Cache, Place, Private, Tenant, World, trials, world};

trials![
    a_landlord_removes_its_own_values_by_pattern,
    locks_and_fences_are_not_removed,
    only_an_administrator_may_name_a_tenant,
    an_invalid_pattern_is_400,
    no_pattern_removes_another_tenants_values,
    a_large_purge_goes_in_bounded_steps,
    without_redis_it_is_503,
];

const CACHE: &str = "/api/cache";

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn purge(who: &Tenant, pattern: &str) -> Answer {
    who.delete(&format!("{CACHE}?pattern={}", encoded(pattern)))
}

fn removed(answer: Answer) -> u64 {
    answer.is(200).json()["removed"].as_u64().expect("a number")
}

/// A landlord with everything cached.
fn warm(world: &World) -> Place {
    let place = Place::of(world.tenant());
    for route in place.routes() {
        place.who.await_hit(&route);
    }
    place
}

fn a_landlord_removes_its_own_values_by_pattern() {
    let (place, neighbour) = (warm(world()), warm(world()));
    let all = |place: &Place| world().keys_of(&place.who).len();
    for (pattern, expected) in [
        ("property:*".to_owned(), 3),
        (format!("property:{}", place.property), 1),
        ("property:*:payments:list".to_owned(), 1),
        (format!("payment:{}", place.payment), 1),
        ("*list".to_owned(), 2),
        ("*".to_owned(), 4),
        ("nothing:*".to_owned(), 0),
        ("property".to_owned(), 0),
    ] {
        for route in place.routes() {
            place.who.await_hit(&route);
        }
        assert_eq!(removed(purge(&place.who, &pattern)), expected, "{pattern}");
        assert_eq!(all(&place), 4 - usize::try_from(expected).expect("small"), "{pattern}");
    }
    removed(purge(&place.who, "*"));
    for route in place.routes() {
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Stored, "{route}");
        assert_eq!(neighbour.who.get(&route).status, if route == "/api/properties" { 200 } else { 404 });
    }
    for route in neighbour.routes() {
        assert_eq!(neighbour.who.get(&route).is(200).cache(), Cache::Hit, "{route}");
    }
}

fn locks_and_fences_are_not_removed() {
    let place = warm(world());
    let key = world().key(&place.who, &format!("property:{}", place.property));
    let lock = format!("lock:{key}");
    let _: i64 = world().redis_command(&["HSET", &lock, "fence:of-a-write", "99999999999999"]);
    let _: i64 = world().redis_command(&["EXPIRE", &lock, "60"]);
    for pattern in ["*", "lock:*", "*lock*"] {
        removed(purge(&place.who, pattern));
        let fence: Option<String> = world().redis_command(&["HGET", &lock, "fence:of-a-write"]);
        assert!(fence.is_some(), "{pattern} removed a fence");
    }
    // And while it stands nothing is stored.
    assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Unstored);
    let _: i64 = world().redis_command(&["DEL", &lock]);
}

fn only_an_administrator_may_name_a_tenant() {
    let (place, other) = (warm(world()), warm(world()));
    let named = |who: &Tenant, tenant: &str| who.delete(&format!("{CACHE}?pattern=*&tenant={tenant}"));
    world().request("DELETE", &format!("{CACHE}?pattern=*")).send().is(401);
    named(&other.who, &place.who.id).problem(403);
    // Not even itself: the token says who it is.
    named(&other.who, &other.who.id).problem(403);
    assert_eq!(world().keys_of(&place.who).len(), 4);
    let administrator = world().administrator();
    assert_eq!(removed(named(&administrator, &place.who.id)), 4);
    assert_eq!(world().keys_of(&place.who).len(), 0);
    assert_eq!(world().keys_of(&other.who).len(), 4);
    // Without a name it is an administrator's own.
    assert_eq!(removed(purge(&administrator, "*")), 0);
    assert_eq!(world().keys_of(&other.who).len(), 4);
}

fn an_invalid_pattern_is_400() {
    let who = world().tenant();
    who.delete(CACHE).names("pattern");
    for bad in ["", "\0", "a\0*", "*****", &"x".repeat(129)] {
        purge(&who, bad).names("pattern");
    }
    who.delete(&format!("{CACHE}?pattern=*&cursor=x")).names("cursor");
    let administrator = world().administrator();
    for bad in ["", "*", "a:b", "..", "%00", "%5Ba-z%5D", "%3F", "a%20b", "~"] {
        administrator.delete(&format!("{CACHE}?pattern=*&tenant={bad}")).names("tenant");
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH"] {
        let answer = who.request(method, CACHE).json(&json!({})).send().is(405);
        assert_eq!(answer.list("allow"), ["delete", "options"]);
    }
    let preflight = world()
        .request("OPTIONS", CACHE)
        .header("Origin", "http://localhost:5112")
        .header("Access-Control-Request-Method", "DELETE")
        .send();
    assert!(preflight.is(204).list("access-control-allow-methods").contains(&"delete".to_owned()));
}

/// What is tried to get out of a tenant's keys. Some are refused, the rest must not find anything that is not theirs.
fn escapes(other: &str) -> Vec<String> {
    let mut tried: Vec<String> = [
        "*",
        "**",
        "?",
        "?*",
        "*?",
        "[a-z]",
        "[a-z]*",
        "[^:]*",
        "[^a]*",
        "*[",
        "]*",
        r"\",
        r"\*",
        r"*\",
        r"\\*",
        r"*\*",
        "^*",
        "$",
        ".*",
        "..",
        "../*",
        "../../*",
        "/*",
        "~*",
        "*~*",
        ":*",
        "*:*:*",
        "lock:*",
        "*lock*",
        "\0",
        "*\0*",
        "\0*",
        "\n*",
        "*\r\nFLUSHALL\r\n",
        "* COUNT 1",
        "*\" MATCH \"*",
        "{*}",
        "(*)",
        "|*",
        "%",
        "%2A",
        "%00*",
        "é*",
        "\u{202e}*",
        "''",
        "0",
        "RentTracker_*",
        "*RentTracker_*",
        "*****",
        "[",
        "[]",
        "[]]*",
        "[*]",
    ]
    .map(str::to_owned)
    .into();
    tried.push("*".repeat(129));
    tried.push("[".repeat(128));
    tried.push(r"\".repeat(127) + "*");
    for form in
        ["{}", "{}:*", "*{}*", "../{}:*", "\u{8}{}:*", r"\{}*", "*:{}:*", "RentTracker_{}:*", "lock:RentTracker_{}:*"]
    {
        tried.push(form.replace("{}", other));
    }
    tried
}

/// All keys, but for what says by REST which database it is.
fn keys(world: &World) -> BTreeSet<String> {
    let all = world.redis_command::<Vec<String>>(&["KEYS", "*"]).into_iter();
    all.filter(|key| !["~database", "~counts"].iter().any(|own| key.ends_with(own))).collect()
}

fn no_pattern_removes_another_tenants_values() {
    let own = Private::start();
    let (place, neighbour) = (warm(&own), warm(&own));
    // Neighbours whose names come as close as they can.
    let close = [format!("{}2", place.who.id), format!("x{}", place.who.id), place.who.id.to_uppercase()];
    let mut strangers: Vec<String> = close.iter().map(|id| format!("{}{id}:property:list", own.instance)).collect();
    strangers.push(format!("lock:{}{}:property:list", own.instance, place.who.id));
    strangers.push(format!("{}~bookkeeping", own.instance));
    strangers.push(format!("Other_{}:property:list", place.who.id));
    strangers.push(format!("\\{}{}:property:list", own.instance, place.who.id));
    for key in &strangers {
        let _: i64 = own.redis_command(&["HSET", key, "x", "x"]);
        let _: i64 = own.redis_command(&["EXPIRE", key, "600"]);
    }
    let prefix = own.key(&place.who, "");
    let foreign = || -> BTreeSet<String> { keys(&own).into_iter().filter(|key| !key.starts_with(&prefix)).collect() };
    let before = foreign();
    assert_eq!(before.len(), strangers.len() + 4);

    let administrator = own.administrator();
    let (mut tried, mut refused) = (0, 0);
    for pattern in escapes(&neighbour.who.id) {
        let pattern = encoded(&pattern);
        let as_another = format!("{CACHE}?pattern={pattern}&tenant={}", neighbour.who.id);
        let answers = [
            (place.who.delete(&format!("{CACHE}?pattern={pattern}")), &[200, 400][..]),
            (place.who.delete(&format!("{CACHE}?PATTERN={pattern}&pattern=*&cursor=0")), &[200, 400]),
            (administrator.delete(&format!("{CACHE}?pattern={pattern}&tenant={}", place.who.id)), &[200, 400]),
            (place.who.delete(&as_another), &[403, 400]),
            (
                place.who.request("DELETE", &as_another).header("X-Tenant-Id", neighbour.who.id.clone()).send(),
                &[403, 400],
            ),
        ];
        for (answer, allowed) in answers {
            assert!(allowed.contains(&answer.status), "{answer}");
            tried += 1;
            refused += u32::from(answer.status != 200);
        }
        assert_eq!(foreign(), before, "{pattern} removed another's");
    }
    println!("patterns against a tenant's prefix: {tried} tried ({refused} refused), 0 got through");
    for key in &strangers {
        let _: i64 = own.redis_command(&["DEL", key]);
    }
}

fn a_large_purge_goes_in_bounded_steps() {
    let own = Private::start();
    let place = warm(&own);
    // More than one request walks through.
    let fill = "for i = 1, 250000 do redis.call('SET', ARGV[1] .. 'filler:' .. i, 'x', 'PX', 600000) end";
    let _: redis::Value = own.redis_command(&["EVAL", fill, "0", &own.instance]);
    let scans = || -> u64 {
        let stats: String = own.redis_command(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_scan:calls="));
        line.map_or(0, |rest| rest.split(',').next().and_then(|calls| calls.parse().ok()).expect("a count"))
    };
    let (mut total, mut requests, mut cursor) = (0, 0, String::new());
    loop {
        let before = scans();
        let answer = place.who.delete(&format!("{CACHE}?pattern=*{cursor}")).is(200).json();
        assert!((1..=100).contains(&(scans() - before)), "{} steps in a request", scans() - before);
        total += answer["removed"].as_u64().expect("a number");
        requests += 1;
        match answer["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(requests < 10, "the walk ends");
    }
    assert!(requests > 1, "{requests} request walked through 250,000 keys");
    assert_eq!(total, 4);
    assert_eq!(own.keys_of(&place.who), Vec::<String>::new());
    assert_eq!(keys(&own).len(), 250_000);
}

fn without_redis_it_is_503() {
    let own = Private::without_redis(&[("redis_connect_timeout_ms", "100")]);
    let answer = purge(&own.tenant(), "*");
    answer.problem(503);
    answer.needs("retry-after");
}
