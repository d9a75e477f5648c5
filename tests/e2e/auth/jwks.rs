//! Tokens under the keys of a JWKS: in a variable, or fetched from an address that may do anything.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::issuer::{Behaviour, KeyServer, SigningKey, jwks};
use crate::support::{Answer, Private, Tenant, World, eventually, together, token, trials};

trials![
    tokens_under_each_kind_of_key_are_let_in,
    without_a_secret_hs256_is_refused,
    forged_tokens_are_refused,
    a_signature_is_checked_once_and_remembered,
    a_new_key_is_found_and_a_withdrawn_one_forgotten,
    unknown_key_ids_do_not_have_the_keys_fetched_each_time,
    keys_are_handed_on_to_other_instances_and_outlast_their_issuer,
    while_keys_cannot_be_fetched_their_tokens_are_503,
    an_address_that_answers_no_key_set_lets_no_token_in,
    an_address_that_is_not_granted_is_not_asked,
    keys_as_dotnet_writes_them_are_taken,
    ed25519_is_an_algorithm_of_its_own_name,
    each_key_that_is_left_out_is_told_once_with_its_reason,
];

fn claims() -> Value {
    token::claims("someone")
}

fn with_token(world: &World, token: &str) -> Tenant {
    world.bearer("someone", token.to_owned())
}

fn ask(world: &World, token: &str) -> Answer {
    with_token(world, token).get("/api/properties")
}

/// A world that fetches its keys from `server`, and has a secret besides.
fn fetching(server: &KeyServer, refresh_seconds: &str) -> Private {
    let (url, address) = (format!("{}/keys?of=issuer", server.base_url()), server.base_url());
    Private::with(&[
        ("jwt_jwks_url", &url),
        ("jwt_jwks_address", &address),
        ("jwt_jwks_refresh_seconds", refresh_seconds),
    ])
}

fn log(own: &Private) -> String {
    std::fs::read_to_string(own.log()).expect("a log")
}

fn tokens_under_each_kind_of_key_are_let_in() {
    let keys = [SigningKey::rsa("r"), SigningKey::p256("e"), SigningKey::ed25519("o")];
    let set = jwks(&keys.each_ref());
    let own = Private::with(&[("jwt_jwks", &set)]);
    for key in &keys {
        let who = own.bearer(&format!("t-{}", key.id), key.sign(&token::claims(&format!("t-{}", key.id))));
        let id = who.property_at("1 Key St");
        assert_eq!(who.get(&crate::support::property_path(&id)).is(200).json()["address"], "1 Key St");
        // The rules for claims are the same for all.
        for bad in
            [json!({ "exp": 1 }), json!({ "nbf": token::now() + 90 }), json!({ "iss": "x" }), json!({ "aud": "x" })]
        {
            ask(&own, &key.sign(&token::with(claims(), &bad))).is(401);
        }
        ask(&own, &key.sign(&token::with(claims(), &json!({ "sub": "a:b" })))).is(403);
    }
    own.tenant().get("/api/properties").is(200);
}

fn without_a_secret_hs256_is_refused() {
    let key = SigningKey::ed25519("o");
    let set = jwks(&[&key]);
    let own = Private::with(&[("jwt_jwks", &set), ("jwt_secret", "")]);
    ask(&own, &key.sign(&claims())).is(200);
    own.tenant().get("/api/properties").is(401);
    ask(&own, &token::sign(&claims(), "")).is(401);
}

fn forged_tokens_are_refused() {
    let keys = [SigningKey::rsa("r"), SigningKey::p256("e"), SigningKey::ed25519("o")];
    let set = jwks(&keys.each_ref());
    let own = Private::with(&[("jwt_jwks", &set)]);
    let mut forged = Vec::new();
    for key in &keys {
        let header =
            |changes: Value| token::with(json!({ "alg": key.algorithm(), "kid": key.id }), &changes).to_string();
        let payload = claims().to_string();
        let good = key.sign(&claims());
        ask(&own, &good).is(200);
        forged.extend([set.clone(), key.jwk().to_string()].iter().flat_map(|secret| {
            let as_hmac = |kid: &str| token::sign_as(&json!({ "alg": "HS256", "kid": kid }), &claims(), secret);
            [as_hmac(&key.id), as_hmac("x")]
        }));
        for algorithm in ["none", "HS256", "RS256", "ES256", "EdDSA"].iter().filter(|it| **it != key.algorithm()) {
            forged.push(key.sign_as(&header(json!({ "alg": algorithm })), &payload));
            for other in keys.iter().filter(|other| other.algorithm() == *algorithm) {
                forged.push(key.sign_as(&header(json!({ "alg": algorithm, "kid": other.id })), &payload));
            }
        }
        for kid in [json!("x"), json!(""), json!(7)] {
            forged.push(key.sign_as(&header(json!({ "kid": kid })), &payload));
        }
        forged.push(key.sign_as(&header(json!({ "crit": ["exp"] })), &payload));
        forged.push(key.sign_as(&format!(r#"{{"alg":"none",{}"#, &header(json!({}))[1..]), &payload));
        forged.push(key.sign_as(&header(json!({})), &format!(r#"{{"sub":"another",{}"#, &payload[1..])));
        forged.push(SigningKey::ed25519(&key.id).sign(&claims()));
        forged.push(SigningKey::p256(&key.id).sign(&claims()));
        let (signed, signature) = good.rsplit_once('.').expect("a signature");
        forged.push(format!("{signed}."));
        forged.push(format!("{signed}.{}", &signature[..signature.len() - 4]));
        forged.push(format!("{signed}.{signature}AAAA"));
        forged.push(good[..good.len() / 2].to_owned());
        forged.push(key.sign(&token::with(claims(), &json!({ "x": "x".repeat(20_000) }))));
    }
    for token in &forged {
        let answer = ask(&own, token);
        assert_eq!(answer.status, 401, "{token}: {answer}");
    }
    let long = keys[2].sign(&token::with(claims(), &json!({ "x": "x".repeat(100_000) })));
    let answer = with_token(&own, &long).request("GET", "/api/properties").send_unchecked();
    assert!((400..500).contains(&answer.status), "100 KB: {answer}");
}

/// The value of a series of `GET /metrics`.
fn told(world: &World, series: &str) -> u64 {
    let text = world.get("/metrics").is(200).text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {series} in {text}"))
}

fn a_signature_is_checked_once_and_remembered() {
    const TIMES: u64 = 60;
    let key = SigningKey::rsa("r");
    let set = jwks(&[&key]);
    let own = Private::with(&[("jwt_jwks", &set)]);
    let good = key.sign(&claims());
    for _ in 0..TIMES {
        ask(&own, &good).is(200);
    }
    let (verified, remembered) =
        (r#"renttracker_tokens_total{result="verified"}"#, r#"renttracker_tokens_total{result="remembered"}"#);
    eventually("all tokens are counted", || (told(&own, verified) + told(&own, remembered) == TIMES).then_some(()));
    // An instance that had nothing to do for a second is another one afterwards.
    assert!(told(&own, verified) <= TIMES / 10, "checked {} times", told(&own, verified));
    // What was remembered is still looked at: the same claims under another signature, and the token of another.
    let (signed, _) = good.rsplit_once('.').expect("a signature");
    ask(&own, &format!("{signed}.AAAA")).is(401);
    assert_eq!(ask(&own, &good).is(200).json()["totalCount"], 0);
}

fn a_new_key_is_found_and_a_withdrawn_one_forgotten() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::ed25519("new"));
    let server = KeyServer::start(Behaviour::body(jwks(&[&old])));
    let own = fetching(&server, "1");
    let (under_old, under_new) = (old.sign(&claims()), new.sign(&claims()));
    ask(&own, &under_old).is(200);
    ask(&own, &under_new).is(401);
    server.now(Behaviour::body(jwks(&[&old, &new])));
    eventually("the new key is found", || (ask(&own, &under_new).status == 200).then_some(()));
    ask(&own, &under_old).is(200);
    server.now(Behaviour::body(jwks(&[&new])));
    eventually("the old key is forgotten, and what was remembered under it", || {
        let status = ask(&own, &under_old).status;
        assert!([200, 401].contains(&status), "{status}");
        (status == 401).then_some(())
    });
    ask(&own, &under_new).is(200);
    // Another key under the old name is another key.
    let imposter = SigningKey::ed25519("new");
    server.now(Behaviour::body(jwks(&[&imposter])));
    eventually("the key is replaced", || (ask(&own, &under_new).status == 401).then_some(()));
    ask(&own, &imposter.sign(&claims())).is(200);
}

fn unknown_key_ids_do_not_have_the_keys_fetched_each_time() {
    const THREADS: usize = 8;
    const TIMES: usize = 50;
    let key = SigningKey::ed25519("o");
    let server = KeyServer::start(Behaviour::body(jwks(&[&key])));
    let own = fetching(&server, "240");
    together(THREADS, |thread| {
        for number in 0..TIMES {
            let unknown = SigningKey::ed25519(&format!("unknown-{thread}-{number}"));
            ask(&own, &unknown.sign(&claims())).is(401);
        }
    });
    ask(&own, &key.sign(&claims())).is(200);
    // Once at the start, and by some instance once in five seconds; a busy machine makes it more.
    assert!(server.requests() <= THREADS * TIMES / 4, "asked {} times", server.requests());
}

fn keys_are_handed_on_to_other_instances_and_outlast_their_issuer() {
    let (key, stranger) = (SigningKey::ed25519("o"), SigningKey::ed25519("o"));
    let server = KeyServer::start(Behaviour::body(jwks(&[&key])));
    let own = fetching(&server, "240");
    ask(&own, &key.sign(&claims())).is(200);
    eventually("the keys are left to others", || {
        // Another host has none of the first one's instances.
        let (_host, other) = own.another_host();
        let asked = server.requests();
        ask(&other, &key.sign(&claims())).is(200);
        (server.requests() == asked).then_some(())
    });
    server.now(Behaviour::HangUp);
    let (_host, other) = own.another_host();
    ask(&other, &key.sign(&claims())).is(200);
    ask(&other, &stranger.sign(&claims())).is(401);
}

fn while_keys_cannot_be_fetched_their_tokens_are_503() {
    let key = SigningKey::ed25519("o");
    for behaviour in [Behaviour::HangUp, Behaviour::Silence] {
        let server = KeyServer::start(behaviour);
        let own = fetching(&server, "240");
        let answer = ask(&own, &key.sign(&claims())).is(503);
        assert!(!answer.needs("retry-after").is_empty(), "{answer}");
        // Who needs no fetched key does not wait for one, nor who is refused anyhow.
        let waiting = server.requests();
        own.tenant().get("/api/properties").is(200);
        ask(&own, "a.b.c").is(401);
        ask(&own, &token::sign(&claims(), "another secret that is just as long as the right")).is(401);
        assert_eq!(server.requests(), waiting);
        own.get("/api/health").is(200);
        server.now(Behaviour::body(jwks(&[&key])));
        eventually("the keys are there", || (ask(&own, &key.sign(&claims())).status == 200).then_some(()));
    }
}

fn an_address_that_answers_no_key_set_lets_no_token_in() {
    let key = SigningKey::ed25519("o");
    let good = jwks(&[&key]);
    let padded = format!("{good}{}", " ".repeat(10 * 1024 * 1024));
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "o", "k": token::encode("x".repeat(32)), "alg": "HS256" }] });
    let elsewhere = KeyServer::start(Behaviour::body(good.clone()));
    let redirect: &'static str = Box::leak(format!("Location: {}/\r\n", elsewhere.base_url()).into_boxed_str());
    let answers = [
        ("garbage", Behaviour::body([0xff; 3000])),
        ("no keys", Behaviour::body(r#"{"keys":[]}"#)),
        ("a secret", Behaviour::body(secret.to_string())),
        ("10 MB", Behaviour::body(padded)),
        ("no end", Behaviour::Endless),
        ("an error", Behaviour::Answer(500, "", Arc::new(good.clone().into()))),
        ("another place", Behaviour::Answer(302, redirect, Arc::new(good.clone().into()))),
        ("cut off", Behaviour::body(&good.as_bytes()[..good.len() - 9])),
    ];
    let server = KeyServer::start(Behaviour::HangUp);
    let own = fetching(&server, "240");
    for (what, behaviour) in answers {
        server.now(behaviour);
        let asked = server.requests();
        eventually(what, || {
            let answer = ask(&own, &key.sign(&claims()));
            assert_eq!(answer.status, 503, "{what}: {answer}");
            // Two, because the first may have been answered before.
            (server.requests() >= asked + 2).then_some(())
        });
        ask(&own, &token::sign(&claims(), &"x".repeat(32))).is(401);
    }
    assert_eq!(elsewhere.requests(), 0, "it went where it was sent");
}

fn an_address_that_is_not_granted_is_not_asked() {
    let key = SigningKey::ed25519("o");
    let server = KeyServer::start(Behaviour::body(jwks(&[&key])));
    let own = Private::with(&[("jwt_jwks_url", &format!("{}/keys", server.base_url()))]);
    ask(&own, &key.sign(&claims())).is(503);
    assert_eq!(server.requests(), 0);
    eventually("the log says how to mend it", || log(&own).contains("jwt_jwks_address").then_some(()));
}

/// Every member that .NET's `JsonWebKey` knows, as it writes those that it has nothing for (RFC 7517, section 4: all but `kty`
/// are optional).
fn with_nothing_else(key: &SigningKey, text: &Value, list: &Value) -> Value {
    let texts =
        ["alg", "use", "d", "dp", "dq", "k", "p", "q", "qi", "x5t", "x5t#S256", "x5u", "crv", "x", "y", "n", "e"];
    let mut members: serde_json::Map<_, _> = texts.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
    members.extend(["key_ops", "oth", "x5c"].map(|name| (name.to_owned(), list.clone())));
    members.extend(key.jwk().as_object().expect("an object").clone());
    Value::Object(members)
}

fn keys_as_dotnet_writes_them_are_taken() {
    let nothing = [(Value::Null, Value::Null), (json!(""), json!([])), (Value::Null, json!([]))];
    let mut keys = Vec::new();
    for (number, (text, list)) in nothing.iter().enumerate() {
        let id = |kind: &str| format!("{kind}{number}");
        for key in [SigningKey::rsa(&id("r")), SigningKey::p256(&id("e")), SigningKey::ed25519(&id("o"))] {
            keys.push((with_nothing_else(&key, text, list), key));
        }
    }
    let written: Vec<_> = keys.iter().map(|(written, _)| written).collect();
    let own = Private::with(&[("jwt_jwks", &json!({ "keys": written }).to_string())]);
    for (written, key) in &keys {
        let answer = ask(&own, &key.sign(&claims()));
        assert_eq!(answer.status, 200, "{written}: {answer}");
    }
    assert!(!log(&own).contains("jwks.key"), "{}", log(&own));
}

/// RFC 9864, section 2.2: fully specified, in the key and in the token; `EdDSA` is the same here.
fn ed25519_is_an_algorithm_of_its_own_name() {
    let keys = ["Ed25519", "EdDSA"].map(|algorithm| {
        let key = SigningKey::ed25519(algorithm);
        (token::with(key.jwk(), &json!({ "alg": algorithm })), key)
    });
    let own = Private::with(&[("jwt_jwks", &json!({ "keys": [keys[0].0, keys[1].0] }).to_string())]);
    for (_, key) in &keys {
        let sign = |algorithm: &str| {
            key.sign_as(&json!({ "alg": algorithm, "kid": key.id }).to_string(), &claims().to_string())
        };
        for said in ["Ed25519", "EdDSA"] {
            ask(&own, &sign(said)).is(200);
        }
        for said in ["ed25519", "Ed448", "EDDSA", "ES256", "none"] {
            ask(&own, &sign(said)).is(401);
        }
    }
}

/// Once for each set, whichever instances of whichever components read it, and never a key's secret.
fn each_key_that_is_left_out_is_told_once_with_its_reason() {
    let good = SigningKey::ed25519("good");
    let secret = "a-secret-that-nobody-may-log-0123456789abcdef";
    let odd = |id: &str, changes: Value| token::with(SigningKey::ed25519(id).jwk(), &changes);
    let purposes = [
        ("encrypts", json!({ "use": "enc" }), "`use`"),
        ("signs", json!({ "key_ops": ["sign"] }), "`key_ops`"),
        ("curve", json!({ "crv": "Ed448" }), "`crv`"),
        ("algorithm", json!({ "alg": "ES256" }), "`alg`"),
    ];
    let secrets = [
        ("private", json!({ "d": secret }), "private"),
        ("primes", json!({ "oth": [{ "r": secret }] }), "private"),
        ("shared", json!({ "kty": "oct", "k": secret }), "secret"),
        ("broken", json!({ "x": "AAAA" }), "Ed25519"),
    ];
    let set = |parts: &[(&str, Value, &str)]| {
        let odd = parts.iter().map(|(id, changes, _)| odd(id, changes.clone()));
        json!({ "keys": std::iter::once(good.jwk()).chain(odd).collect::<Vec<_>>() }).to_string()
    };
    let told = |own: &Private, id: &str| {
        let lines: Vec<String> =
            log(own).lines().filter(|line| line.contains("\"jwks.key_")).map(str::to_owned).collect();
        lines.into_iter().filter(|line| line.contains(&format!("\\\"{id}\\\""))).collect::<Vec<_>>()
    };
    let use_it = |world: &World| {
        let who = with_token(world, &good.sign(&claims()));
        let id = who.property_at("1 Key St");
        let payments = crate::support::payments_path(&id);
        together(8, |_| (0..40).for_each(|_| drop((who.get("/api/properties").is(200), who.get(&payments).is(200)))));
    };

    let all: Vec<_> = purposes.iter().chain(&secrets).cloned().collect();
    let server = KeyServer::start(Behaviour::body(set(&all)));
    let fetched = fetching(&server, "1");
    use_it(&fetched);
    // In a variable a secret is refused with all of the set: it is somebody's mistake, and at hand to be mended.
    let inline = Private::with(&[("jwt_jwks", &set(&purposes))]);
    use_it(&inline);
    let (_host, other) = inline.another_host();
    use_it(&other);
    for (own, parts) in [(&fetched, &all[..]), (&inline, &purposes[..])] {
        for (id, _, word) in parts {
            eventually("it is told", || (!told(own, id).is_empty()).then_some(()));
            let lines = told(own, id);
            assert!(lines.len() == 1 && lines[0].contains(word), "{id}: {lines:?}");
        }
        assert!(told(own, "good").is_empty() && !log(own).contains(secret), "{}", log(own));
    }
    // Another set is told again; one without any key that is taken, too, and not at each attempt to fetch it.
    server.now(Behaviour::body(json!({ "keys": [odd("alone", json!({ "d": secret }))] }).to_string()));
    let unknown = SigningKey::ed25519("unknown");
    eventually("the other set is told", || {
        ask(&fetched, &unknown.sign(&claims())).is(401);
        (!told(&fetched, "alone").is_empty()).then_some(())
    });
    let asked = server.requests();
    eventually("it is fetched again", || {
        ask(&fetched, &unknown.sign(&claims())).is(401);
        (server.requests() >= asked + 2).then_some(())
    });
    assert_eq!(told(&fetched, "alone").len(), 1, "{}", log(&fetched));
}
