//! What a hit allocates on its way through everything that is pure: counts, which are the same on every machine.
//!
//! They are held against `counts.json`; `RENTTRACKER_COSTS=write cargo test -p rental --test allocations` writes it anew. What the
//! platform's own calls allocate is not in them (`tests/e2e/cache/costs.rs` counts those calls).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cache::{CacheStatus, Entry, Slot};
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{Method, Request, header};
use rental::auth::{HASH_KEY_BYTES, Memory, Token, Verification, bearer, verify};
use rental::config::Config;
use rental::domain::{PropertyId, RowVersion, TenantId};
use rental::http::{
    Action, AfterCursor, Answer, Direction, Field, ListQuery, Route, SortFields, SortKind, check_head, finish,
    headers_read, list, single, trace_id,
};
use rental::resource::Resource;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::Path;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_800_000_000;
const EPOCH: u64 = 7;
const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";
/// The same set of keys throughout.
const KEYS: u64 = 1;
/// A property, and a page of fifty.
const SMALL: usize = 600;
const LARGE: usize = 50 * SMALL;
/// As `property-reads` has them.
const SORT_FIELDS: SortFields =
    SortFields { names: &["address", "suburb"], default: "address", default_direction: Direction::Ascending };

/// Allocations, and the bytes of all of them.
type Cost = [u64; 2];

/// An instance that has seen the token before.
struct Instance {
    config: Config,
    memory: Memory,
    token: String,
}

impl Instance {
    fn new(is_sealed: bool) -> Instance {
        let seal_key = STANDARD.encode([7; 32]);
        let config = Config::parse(|name| match name {
            "redis_url" => Some("redis://h".into()),
            "database_url" => Some("postgres://h/d".into()),
            "jwt_secret" => Some(SECRET.into()),
            "cache_seal_key" if is_sealed => Some(seal_key.clone()),
            _ => None,
        });
        let config = config.expect("a configuration");
        let claims = format!(r#"{{"iss":"RentTracker","aud":"RentTracker","sub":"landlord-1","exp":{}}}"#, NOW + 600);
        let signed = [r#"{"alg":"HS256"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        let Verification::Verified(verified) = verify(&Token::parse(&token).expect("a token"), &config.auth, None, NOW)
        else {
            panic!("the token is good");
        };
        let mut memory = Memory::new(&[7; HASH_KEY_BYTES]);
        memory.remember(memory.hash(&token), KEYS, verified);
        Instance { config, memory, token }
    }

    /// A request without its headers, and those as the host gives them.
    fn request(&self, target: &str) -> (Parts, Vec<Field>) {
        let parts = Request::get(target).body(()).expect("a request").into_parts().0;
        let token = format!("Bearer {}", self.token);
        let lines = [("authorization", &*token), ("origin", "http://localhost:5112"), ("accept", "*/*")];
        (parts, lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into())
    }

    fn slot<'a>(&self, tenant: &TenantId, resource: Resource, field: &'a str) -> Slot<'a> {
        Slot::new(&self.config.namespace, self.config.seals.as_ref(), tenant.owner(), &resource, field)
    }

    /// What Redis answers for it.
    fn stored(&self, resource: Resource, field: &str, body: usize) -> Vec<u8> {
        let tenant = TenantId::parse("landlord-1").expect("a tenant");
        let version = RowVersion::new(3).filter(|_| field.is_empty()).and_then(RowVersion::in_entry);
        let entry = Entry { version, ..Entry::of(vec![b'x'; body]) };
        self.slot(&tenant, resource, field).wrap(&entry, EPOCH, Some(&[9; 24]))
    }

    /// A hit from the request to the answer, without what `platform` does between: its `http`, `auth/mod.rs`, `read/mod.rs`.
    fn hit(&mut self, parts: &mut Parts, fields: Vec<Field>, stored: Vec<u8>) -> Answer {
        let checked = check_head(&parts.uri, &fields);
        parts.headers = headers_read(fields).expect("headers");
        assert!(trace_id(&parts.headers).is_none());
        let route = Route::of(parts.uri.path()).expect("a route");
        assert!(checked.is_ok() && route.action(&parts.method) == Action::Read);
        let token = bearer(parts.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes)).expect("a token");
        let caller = self.memory.recall(&self.memory.hash(token), KEYS, NOW).expect("it is remembered");
        let (resource, field) = match route {
            Route::Property(id) => (Resource::Property(id.expect("an id")), String::new()),
            _ => {
                let asked = ListQuery::parse(parts.uri.query(), &SORT_FIELDS).expect("a query");
                assert!(
                    AfterCursor::<PropertyId>::parse(parts.uri.query(), &asked, SortKind::Text)
                        .expect("a query")
                        .is_none()
                );
                (Resource::PropertyList, asked.cache_field().expect("a page that is kept"))
            }
        };
        let slot = self.slot(&caller.tenant, resource, &field);
        let entry = slot.open(stored, EPOCH).expect("an entry");
        let answer = if slot.key().is_list() { list } else { single };
        let mut answer = answer(entry, CacheStatus::Hit, parts);
        finish(&mut answer, &parts.headers, &self.config.cors_allowed_origins);
        answer
    }

    /// What one hit costs once the instance has had one like it.
    fn cost(&mut self, target: &str, resource: Resource, field: &str, body: usize) -> Cost {
        let (mut parts, fields) = self.request(target);
        let bytes = self.stored(resource, field, body);
        drop(self.hit(&mut parts, fields.clone(), bytes.clone()));
        let mut answer = None;
        let counted = allocation_counter::measure(|| answer = Some(self.hit(&mut parts, fields, bytes)));
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.body.len(), parts.method.clone()), (http::StatusCode::OK, body, Method::GET));
        [counted.count_total, counted.bytes_total]
    }

    fn property(&mut self, body: usize) -> Cost {
        let resource = Resource::Property(PropertyId::parse(ID).expect("an id"));
        self.cost(&format!("/api/properties/{ID}"), resource, "", body)
    }

    fn page(&mut self, body: usize) -> Cost {
        let target = "/api/properties?pageSize=50";
        let asked = ListQuery::parse(Some("pageSize=50"), &SORT_FIELDS).expect("a query");
        self.cost(target, Resource::PropertyList, &asked.cache_field().expect("a field"), body)
    }
}

#[test]
fn a_hit_allocates_as_often_as_the_baseline_says() {
    let (mut plain, mut sealed) = (Instance::new(false), Instance::new(true));
    let counts = BTreeMap::from([
        ("property", plain.property(SMALL)),
        ("property, sealed", sealed.property(SMALL)),
        ("page of a list", plain.page(LARGE)),
        ("page of a list, sealed", sealed.page(LARGE)),
    ]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/allocations/counts.json");
    let text = serde_json::to_string_pretty(&counts).expect("JSON") + "\n";
    if std::env::var("RENTTRACKER_COSTS").is_ok_and(|order| order == "write") {
        std::fs::write(&file, &text).expect("written");
    }
    let baseline = std::fs::read_to_string(&file).expect("a baseline");
    assert_eq!(
        baseline, text,
        "[allocations, bytes] of a hit; `RENTTRACKER_COSTS=write cargo test -p rental --test allocations` writes them anew"
    );
}

#[test]
fn the_body_of_a_hit_is_never_copied_into_another_allocation() {
    for is_sealed in [false, true] {
        let mut instance = Instance::new(is_sealed);
        // The header says its length: with as many digits it is as long.
        assert_eq!(instance.property(1_000), instance.property(9_000), "sealed: {is_sealed}");
        assert_eq!(instance.page(10_000), instance.page(90_000), "sealed: {is_sealed}");
    }
}
