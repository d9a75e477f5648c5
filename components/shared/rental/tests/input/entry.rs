//! Where bytes from outside enter: one function for each place, which panics where a promise is broken. The corpus and
//! the properties of this folder go through them, and so do the targets of `tests/fuzz/`.

use cache::{CacheKey, Entry, KeyPattern, Namespace, Owner, Resource as _, Seals, fingerprint};
use rental::auth::{Token, Verification, bearer, verify as verify_token};
use rental::config::Config;
use rental::domain::{MethodChoice, PaymentDraft, PropertyDraft, RowVersion};
use rental::error::Error;
use rental::http::{Direction, ListQuery, Route, SortFields, check_head, preflight, problem};
use rental::operator::pace::RATES;
use rental::operator::verify::{self, VerifyOrder};
use rental::operator::warm::{self, WarmOrder, Whose};
use rental::resource::Resource;
use rental::source::Source;
use std::num::NonZeroU64;

const NOW: u64 = 1_700_000_000;
const NAME: &str = "RentTracker_a:property:list\n1|10|address|asc";
const FIELDS: SortFields =
    SortFields { names: &["address", "suburb"], default: "address", default_direction: Direction::Ascending };

thread_local! {
    static CONFIG: Config = config();
}

fn config() -> Config {
    let variable = |name: &'static str| match name {
        "redis_url" => Some("redis://127.0.0.1:6379".to_owned()),
        "database_url" => Some("postgres://u:p@127.0.0.1:5432/d".to_owned()),
        "jwt_secret" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        _ => None,
    };
    Config::parse(variable).unwrap_or_else(|error| panic!("{error}"))
}

/// A place where bytes enter, by its name.
pub type Place = (&'static str, fn(&[u8]));

/// All entry points.
pub const ALL: [Place; 6] = [
    ("token", token),
    ("target", target),
    ("header", header),
    ("body", body),
    ("envelope", envelope),
    ("pattern", pattern),
];

/// The value of an `Authorization` header: the secret is unknown, so no token is accepted.
pub fn token(bytes: &[u8]) {
    for header in [bytes.to_vec(), [b"Bearer ", bytes].concat()] {
        let refused = match bearer(Some(&header)).and_then(Token::parse) {
            Ok(token) => match CONFIG.with(|config| verify_token(&token, &config.auth, None, NOW)) {
                Verification::Verified(_) => panic!("the secret is unknown"),
                Verification::UnknownKey => continue,
                Verification::Refused(error) => error,
            },
            Err(error) => error,
        };
        assert!(matches!(refused, Error::Unauthenticated(_)), "{refused}");
    }
}

/// Path and query, as a server reads them from a request line.
pub fn target(bytes: &[u8]) {
    let Ok(request) = http::Request::get(bytes).body(()) else { return };
    let (parts, ()) = request.into_parts();
    if check_head(&parts.uri, &[]).is_err() {
        return;
    }
    if let Some(route) = Route::of(parts.uri.path()) {
        assert!(route.allowed().contains("OPTIONS"));
        let ids = match route {
            Route::Property(id) | Route::Payments(id) => [id.map(|id| id.to_string()), None],
            Route::Payment(property, payment) => [property.map(|id| id.to_string()), payment.map(|id| id.to_string())],
            _ => [None, None],
        };
        for id in ids.into_iter().flatten() {
            assert!(id.len() == 36 && parts.uri.path().to_lowercase().contains(&id), "{id}");
        }
    }
    if let Ok(query) = ListQuery::parse(parts.uri.query(), &FIELDS) {
        assert!((1..=50).contains(&query.page_size) && query.offset() >= 0, "{query:?}");
        assert!(FIELDS.names.contains(&query.sort_field));
        let term = query.search.as_deref().unwrap_or_default();
        assert!(term.chars().count() <= 500 && !term.contains('\0'), "{query:?}");
        assert_eq!(query.cache_field().is_some(), query.search_pattern().is_none());
    }
    let refused = problem(&Error::NotFound, parts.uri.path());
    assert!(serde_json::from_slice::<serde_json::Value>(&refused.body).is_ok());
}

/// The value of the headers that are read by hand.
pub fn header(bytes: &[u8]) {
    let Ok(value) = http::HeaderValue::from_bytes(bytes) else { return };
    let names = [http::header::IF_MATCH, http::header::IF_NONE_MATCH, http::header::ORIGIN, http::header::CONTENT_TYPE];
    let headers: http::HeaderMap = names.into_iter().map(|name| (name, value.clone())).collect();
    let version = RowVersion::new(7).expect("a version");
    let conditions = rental::http::Conditions::of(&headers);
    let _ = (conditions.evaluate(Some(version)), conditions.evaluate(None));
    let _ = rental::http::check_body_headers(&headers);
    use rental::http::Versions;
    let precondition = rental::http::Precondition::new(&headers, None);
    if let Versions::Only(versions) | Versions::AllBut(versions) = precondition.versions() {
        assert!(versions.iter().all(|version| *version >= 1), "{versions:?}");
    }
    let answer = CONFIG.with(|config| preflight(&headers, &config.cors_allowed_origins, "GET"));
    assert!(!answer.headers.contains_key(http::header::ACCESS_CONTROL_MAX_AGE) || bytes.starts_with(b"http"));
}

/// The body of a POST or PUT: what is taken fits into its columns, and within an operator's bounds.
pub fn body(bytes: &[u8]) {
    let fits = |text: &Option<String>, max: usize| {
        text.as_ref().is_none_or(|text| text.chars().count() <= max && !text.contains('\0'))
    };
    if let Ok(draft) = PropertyDraft::parse(bytes) {
        assert!(!draft.address.trim().is_empty() && fits(&Some(draft.address), 200));
        assert!(fits(&draft.suburb, 100) && fits(&draft.state, 50) && fits(&draft.post_code, 10));
        assert!(fits(&draft.description, 500) && fits(&draft.property_manager, 100));
        assert!(fits(&draft.property_manager_contact, 100));
        for text in draft.weekly_rent_amount.iter().map(ToString::to_string) {
            assert!(text.trim_start_matches('-').len() <= 19, "{text}");
        }
    }
    if let Ok(draft) = PaymentDraft::parse(bytes) {
        assert!(fits(&draft.payment_reference, 100) && fits(&draft.notes, 500));
        if let MethodChoice::Name(name) = draft.method {
            assert!(!name.trim().is_empty() && fits(&Some(name), 100));
        }
    }
    orders(bytes);
}

/// What an operator orders in a body, and where it goes on.
fn orders(bytes: &[u8]) {
    if let Ok(order) = VerifyOrder::parse(bytes) {
        assert!(verify::SAMPLES.contains(&order.sample) && RATES.contains(&order.rate), "{order:?}");
    }
    let Ok(order) = WarmOrder::parse(bytes) else { return };
    assert!(warm::LIMITS.contains(&order.limit) && RATES.contains(&order.rate), "{order:?}");
    match &order.whose {
        Whose::Tenants(tenants) => assert!((1..=warm::MAX_TENANTS).contains(&tenants.len()), "{order:?}"),
        Whose::Active(hours) => assert!(warm::HOURS.contains(hours), "{order:?}"),
    }
    if let Some(cursor) = &order.cursor {
        let source = cursor.source().expect("the first page of a list");
        let field = source.field().expect("a name").expect("it is cached");
        assert_eq!(cursor.to_string(), format!("{}:{}", cursor.tenant, source.resource()));
        assert_eq!(Source::of(source.resource(), &field), Some(source));
    }
}

/// An entry of the cache, as Redis has it: only what was wrapped under its name and epoch is opened, and with a seal only
/// what was sealed.
pub fn envelope(bytes: &[u8]) {
    assert!(fingerprint(bytes).len() <= bytes.len());
    if let Ok(entry) = Entry::open(bytes.to_vec(), NAME, 5, None) {
        assert_eq!(Entry::open(entry.wrap(NAME, 5, None), NAME, 5, None), Ok(entry));
    }
    let seals = Seals::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", b"x\0").expect("a key").expect("a key");
    let seal = seals.of(&Owner::parse("a").expect("an owner"));
    assert!(Entry::open(bytes.to_vec(), NAME, 5, Some(&seal)).is_err(), "the key is unknown");
    let entry = Entry { version: NonZeroU64::new(1), note: b"a note".to_vec(), ..Entry::of(bytes.to_vec()) };
    for seal in [None, Some(&*seal)] {
        let wrapped = entry.wrap(NAME, 5, seal.map(|seal| (seal, &[7; 24])));
        assert!(Entry::open(wrapped.clone(), "RentTracker_b:property:list\n1|10|address|asc", 5, seal).is_err());
        assert!(Entry::open(wrapped.clone(), NAME, 6, seal).is_err());
        assert_eq!(Entry::open(wrapped, NAME, 5, seal), Ok(entry.clone()));
    }
}

/// The name of a resource, as the outbox has it, a key and a field of the cache, and a pattern of such names.
pub fn pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let namespace = Namespace::parse("R_").expect("a namespace");
    if let Some((tenant, resource)) = CacheKey::parse::<Resource>(&namespace, text) {
        assert_eq!(CacheKey::new(&namespace, &tenant, &resource).as_str(), text);
    }
    if let Some(source) = Source::of(Resource::PropertyList, text) {
        assert_eq!(source.field(), Ok(Some(text.to_owned())));
    }
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
        assert!(!text.contains(['*', '?', '[', '\\', '~']), "{text}");
    }
    if let Ok(pattern) = KeyPattern::parse(text) {
        let glob = pattern.glob(&namespace, &Owner::parse("a").expect("an owner"));
        assert!(glob.starts_with("R_a:"), "{glob}");
    }
}
