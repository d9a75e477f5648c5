//! Session tokens, on a host that is in a region: who is told one, who may bring one, and that no other text does anything.

use cache::region::Position;
use rental::domain::TenantId;
use rental::session::SessionKey;
use serde_json::json;

use crate::support::{Answer, NOWHERE, Place, Private, Tenant, property_path, trials, world};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const SESSION: &str = "RentTracker-Session";
const CLIENT: &str = "http://localhost:5112";
/// What every database has behind it: any answer may be told to have seen so much.
const LITTLE: Position = Position { timeline: 1, lsn: 5, below: 0, own: 3 };
/// What no database comes to within a trial.
const FAR: Position = Position { timeline: u32::MAX, lsn: u64::MAX, below: u64::MAX, own: u64::MAX };

trials![
    every_answer_to_a_valid_bearer_token_tells_the_session_once,
    no_other_answer_tells_one,
    without_a_region_nothing_is_told_and_nothing_is_read,
    a_token_is_taken_by_reads_and_by_writes_and_told_again,
    forged_foreign_and_malformed_tokens_change_nothing,
    a_cookie_is_set_and_taken_where_the_variable_says_so,
    web_clients_may_send_and_read_it,
];

fn in_region(changes: &[(&str, &str)]) -> Private {
    // A run that has the record in PostgreSQL has it for one region.
    let region = [("region", "eu"), ("session_key", KEY), ("breaker_store", "key-value")];
    Private::with(&[&region, changes].concat())
}

fn sign(key: &str, who: &str, seen: Position) -> String {
    let key = SessionKey::parse(key).expect("a key").expect("a key");
    key.sign(&TenantId::parse(who).expect("a tenant"), seen)
}

/// What an answer says that this landlord has seen; there is one header and it is the landlord's.
#[track_caller]
fn told(answer: &Answer, who: &Tenant) -> Position {
    let key = SessionKey::parse(KEY).expect("a key").expect("a key");
    let token = answer.needs(SESSION);
    let tenant = TenantId::parse(&who.id).expect("a tenant");
    key.open(&tenant, &token).unwrap_or_else(|| panic!("not the landlord's: {answer}"))
}

#[track_caller]
fn tells_nothing(answer: &Answer) {
    assert_eq!((answer.header(SESSION), answer.header("set-cookie")), (None, None), "{answer}");
}

/// Whether one session has seen all that another has.
fn covers(more: Position, less: Position) -> bool {
    more.merge(less) == more
}

fn every_answer_to_a_valid_bearer_token_tells_the_session_once() {
    let own = in_region(&[]);
    let place = Place::of(own.tenant());
    let who = &place.who;
    let property = place.property_path();
    let tag = who.get(&property).is(200).etag();
    let ask = |method: &str, path: &str| who.request(method, path);
    let body = json!({ "address": "x" });
    for answer in [
        who.get(&property).is(200),
        ask("HEAD", &property).send().is(200),
        ask("GET", &property).header("If-None-Match", tag).send().is(304),
        ask("GET", &property).header("If-Match", "\"9\"").send().is(412),
        who.get(&property_path(NOWHERE)).is(404),
        who.get("/api/properties").is(200),
        who.get("/api/properties?pageSize=x").is(400),
        who.get("/api/paymentmethods").is(200),
        who.get("/api/health").is(200),
        ask("POST", "/api/cache/drain").send().is(403),
        who.post("/api/properties", &json!({})).is(400),
        ask("POST", "/api/properties").body("x").send().is(415),
        who.put(&property, &json!({ "address": "x", "rowVersion": 9 })).is(409),
    ]
    .iter()
    .chain(&place.writes())
    {
        told(answer, who);
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
    }
    told(&who.post("/api/properties", &body).is(201), who);
    let administrator = own.administrator();
    told(&administrator.get("/api/cache/breaker").is(200), &administrator);
}

fn no_other_answer_tells_one() {
    let own = in_region(&[("session_cookie", "true")]);
    let token = sign(KEY, "someone", LITTLE);
    let ask = |method: &str, path: &str| own.request(method, path).header(SESSION, token.as_str());
    for answer in [
        ask("GET", "/api/properties").send().is(401),
        ask("GET", "/api/properties").header("Authorization", "Bearer x").send().is(401),
        ask("POST", "/api/properties").json(&json!({ "address": "x" })).send().is(401),
        ask("GET", "/api/health").send().is(200),
        ask("GET", "/api/openapi.json").send().is(200),
        ask("GET", "/livez").send().is(200),
        ask("OPTIONS", "/api/properties").send().is(204),
        own.tenant_named("a:b").get("/api/properties").is(403),
    ] {
        tells_nothing(&answer);
    }
}

fn without_a_region_nothing_is_told_and_nothing_is_read() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    let token = sign(KEY, &who.id, FAR);
    for path in place.routes() {
        tells_nothing(&who.get(&path).is(200));
        tells_nothing(&who.request("GET", &path).header(SESSION, token.as_str()).send().is(200));
    }
    place.writes().iter().for_each(tells_nothing);
    // All else may be set for a region to come.
    let own =
        Private::with(&[("session_key", KEY), ("session_cookie", "true"), ("database_read_url", "postgres://h/d")]);
    tells_nothing(&own.tenant().get("/api/properties").is(200));
}

fn a_token_is_taken_by_reads_and_by_writes_and_told_again() {
    let own = in_region(&[]);
    let place = Place::of(own.tenant());
    let who = &place.who;
    let [older, newer] = [LITTLE, Position { own: 4, ..LITTLE }].map(|seen| sign(KEY, &who.id, seen));
    let body = json!({ "address": "x" });
    for token in [&newer, &format!("{older}, {newer}"), &format!("{newer},x,{older}")] {
        let ask = |method: &str, path: &str| who.request(method, path).header(SESSION, token.as_str());
        for answer in [
            ask("GET", &place.property_path()).send().is(200),
            ask("GET", &place.property_path()).send().is(200),
            ask("GET", &property_path(NOWHERE)).send().is(404),
            ask("GET", "/api/properties").send().is(200),
            ask("POST", "/api/properties").json(&body).send().is(201),
            ask("PUT", &place.property_path()).json(&body).send().is(200),
            ask("PUT", &place.property_path()).json(&json!({})).send().is(400),
        ] {
            assert!(covers(told(&answer, who), Position { own: 4, ..LITTLE }), "{answer}");
        }
    }
}

fn forged_foreign_and_malformed_tokens_change_nothing() {
    let own = in_region(&[]);
    let place = Place::of(own.tenant());
    let who = &place.who;
    let good = sign(KEY, &who.id, FAR);
    let last = if good.ends_with('A') { "B" } else { "A" };
    let others = [
        sign(OTHER_KEY, &who.id, FAR),
        sign(KEY, "somebody-else", FAR),
        format!("{}{last}", &good[..good.len() - 1]),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        format!("\"{good}\""),
        good.to_lowercase(),
        "x".repeat(60),
        "x".repeat(8_000),
        "*".into(),
        String::new(),
        "\u{e4}".into(),
    ];
    let written = property_path(&who.property_at("x"));
    let [plain, refused] = [who.get(&place.property_path()).is(200), who.get(&property_path(NOWHERE)).is(404)];
    for other in &others {
        for name in [SESSION, "Cookie"] {
            let value = if name == SESSION { other.clone() } else { format!("RentTracker-Session={other}") };
            let ask = |path: &str| who.request("GET", path).header(name, value.as_str()).send();
            let answer = ask(&place.property_path()).is(200);
            assert_eq!((&answer.body, answer.etag()), (&plain.body, plain.etag()), "{answer}");
            assert!(told(&answer, who).timeline < FAR.timeline, "{value:?} was taken: {answer}");
            assert_eq!(ask(&property_path(NOWHERE)).is(404).body, refused.body);
        }
        let request = who.request("PUT", &written).header(SESSION, other.as_str());
        let answer = request.json(&json!({ "address": "x" })).send().is(200);
        assert!(told(&answer, who).timeline < FAR.timeline, "{other:?} was taken: {answer}");
    }
}

fn a_cookie_is_set_and_taken_where_the_variable_says_so() {
    let own = in_region(&[("session_cookie", "true")]);
    let place = Place::of(own.tenant());
    let who = &place.who;
    let (path, newer) = (place.property_path(), Position { own: 4, ..LITTLE });
    let cookie = |seen: Position| format!("theme=dark; RentTracker-Session={}", sign(KEY, &who.id, seen));
    let read = who.request("GET", &path).header("Cookie", cookie(newer)).send().is(200);
    let write =
        who.request("PUT", &path).header("Cookie", cookie(newer)).json(&json!({ "address": "x" })).send().is(200);
    let tag = write.etag();
    let unchanged =
        who.request("GET", &path).header("Cookie", cookie(newer)).header("If-None-Match", tag).send().is(304);
    for answer in [read, write, unchanged] {
        assert!(covers(told(&answer, who), newer), "{answer}");
        let set = format!("{SESSION}={}; Path=/api; Secure; HttpOnly; SameSite=Lax", answer.needs(SESSION));
        assert_eq!(answer.needs("set-cookie"), set, "{answer}");
    }
    // The header is the one that is read where there are both.
    let both = who.request("GET", &path).header("Cookie", cookie(FAR)).header(SESSION, sign(KEY, &who.id, newer));
    let both = told(&both.send().is(200), who);
    assert!(covers(both, newer) && both.timeline < FAR.timeline, "{both:?}");
}

fn web_clients_may_send_and_read_it() {
    let own = in_region(&[]);
    let who = own.tenant();
    let answer = who.request("GET", "/api/properties").header("Origin", CLIENT).send().is(200);
    assert!(answer.list("access-control-expose-headers").contains(&SESSION.to_lowercase()), "{answer}");
    let preflight = own.request("OPTIONS", "/api/properties").header("Origin", CLIENT);
    let preflight = preflight.header("Access-Control-Request-Method", "POST").send().is(204);
    assert!(preflight.list("access-control-allow-headers").contains(&SESSION.to_lowercase()), "{preflight}");
}
