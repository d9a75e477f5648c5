use super::super::tests::{EC_X, EC_Y, ED_X, RSA_N};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

fn parse(keys: Value) -> Result<KeySet, NoKeySet> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn rsa() -> Value {
    json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})
}

fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y})
}

fn ed() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X})
}

fn with(mut key: Value, changes: Value) -> Value {
    key.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    key
}

/// Number of keys taken, and of keys refused, of a set with a good key beside this one.
fn beside(key: Value) -> (usize, usize) {
    let set = parse(json!([with(ed(), json!({"kid": "good"})), key])).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(set.keys.len() + set.left_out().len(), 2, "each that is left out says why");
    (set.keys.len() - 1, set.left_out().iter().filter(|it| it.is_refused).count())
}

/// The optional members as .NET's `JsonWebKey` writes those that it has nothing for, and other spellings of nothing.
fn with_nothing_else(key: Value) -> [Value; 2] {
    let nothing = |nothing: [Value; 2]| {
        let [text, list] = nothing;
        let texts = [
            "alg", "use", "kid", "d", "dp", "dq", "k", "p", "q", "qi", "x5t", "x5t#S256", "x5u", "crv", "x", "y", "n",
            "e",
        ];
        let mut all: serde_json::Map<String, Value> =
            texts.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
        all.extend(["key_ops", "oth", "x5c"].map(|name| (name.to_owned(), list.clone())));
        all.extend(key.as_object().expect("an object").clone());
        Value::Object(all)
    };
    [nothing([Value::Null, Value::Null]), nothing([json!(""), json!([])])]
}

/// RFC 7517, section 4: but for `kty` members are optional; RFC 7518, section 6: save those of the kind.
#[test]
fn optional_members_that_say_nothing_are_as_good_as_absent() {
    for key in [rsa(), ec(), ed()] {
        for written in with_nothing_else(key) {
            assert_eq!(beside(written.clone()), (1, 0), "{written}");
            for (name, value) in [("d", json!("x")), ("p", json!("x")), ("oth", json!([{"r": "x"}])), ("qi", json!(1))]
            {
                assert_eq!(beside(with(written.clone(), json!({ (name): value }))), (0, 1), "{name} in {written}");
            }
            for name in
                ["kty", "n", "e", "x", "y"].iter().filter(|name| written[**name] != "" && !written[**name].is_null())
            {
                for nothing in [json!(null), json!("")] {
                    assert_eq!(beside(with(written.clone(), json!({ (*name): nothing }))), (0, 1), "without {name}");
                }
            }
        }
    }
}

/// RFC 9864, section 2.2: `Ed25519` is `EdDSA` with that curve, in keys and in tokens.
#[test]
fn ed25519_is_an_algorithm_of_its_own_name() {
    assert_eq!(beside(with(ed(), json!({"alg": "Ed25519"}))), (1, 0));
    for other in [
        with(ed(), json!({"alg": "Ed448"})),
        with(ed(), json!({"alg": "ed25519"})),
        with(ec(), json!({"alg": "Ed25519"})),
    ] {
        assert_eq!(beside(other.clone()), (0, 0), "{other}");
    }
    for key in ["EdDSA", "Ed25519"] {
        for token in ["EdDSA", "Ed25519"] {
            assert_eq!(find(json!([with(ed(), json!({"alg": key})), rsa()]), token, None), Ok(0), "{key} {token}");
        }
    }
}

#[test]
fn each_key_that_is_left_out_says_which_it_is_and_why() {
    let long = "x".repeat(1_000);
    let keys = json!([
        ed(),
        with(ed(), json!({"kid": "enc \n", "use": "enc"})),
        {"kty": "oct", "k": "x", "kid": ""},
        with(rsa(), json!({"kid": long, "d": "x"})),
    ]);
    let set = parse(keys).unwrap_or_else(|reason| panic!("{reason}"));
    let told: Vec<String> = set.left_out().iter().map(LeftOut::to_string).collect();
    assert_eq!(told[0], r#"key "enc \n" is not for signatures, by its `use`"#);
    assert_eq!(told[1], "key 3 is of the kind `oct`, which is a secret");
    assert_eq!(told[2], format!("key {:?} is a private key", "x".repeat(64)));
    let none = parse(json!([{"kty": "oct", "kid": "s"}, {"kty": "AKP"}])).expect_err("no key");
    let told: Vec<String> = none.left_out().iter().map(LeftOut::to_string).collect();
    assert!(
        told[0].starts_with("key \"s\" is of the kind `oct`") && told[1].starts_with("key 2 is of a kind"),
        "{told:?}"
    );
}

#[test]
fn a_key_is_taken_left_out_or_refused_by_what_it_is_for() {
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    for key in
        [rsa(), ec(), ed(), with(rsa(), json!({"alg": "RS256", "use": "sig", "key_ops": ["verify"], "x5t": "x"}))]
    {
        assert_eq!(beside(key.clone()), (1, 0), "{key}");
    }
    for key in [
        with(rsa(), json!({"use": "enc"})),
        with(rsa(), json!({"alg": "RSA-OAEP"})),
        with(rsa(), json!({"alg": "PS256"})),
        with(rsa(), json!({"alg": "HS256"})),
        with(rsa(), json!({"alg": "none"})),
        with(ec(), json!({"alg": "RS256"})),
        with(ec(), json!({"crv": "P-384"})),
        with(ec(), json!({"key_ops": ["sign"]})),
        with(ed(), json!({"crv": "X25519"})),
        with(ed(), json!({"kty": "AKP"})),
    ] {
        assert_eq!(beside(key.clone()), (0, 0), "{key}");
    }
    let modulus = |bits: usize| base64(&[&[0x80][..], &vec![0; bits / 8 - 2], &[1]].concat());
    for key in [
        json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}),
        json!({"kty": "oct", "alg": "RS256", "n": RSA_N, "e": "AQAB"}),
        with(ed(), json!({"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})),
        with(rsa(), json!({"n": modulus(1024)})),
        with(rsa(), json!({"n": modulus(2040)})),
        with(rsa(), json!({"n": modulus(4104)})),
        with(rsa(), json!({"n": ""})),
        with(rsa(), json!({"e": ""})),
        with(rsa(), json!({"e": "AQ"})),
        with(rsa(), json!({"e": "Ag"})),
        with(rsa(), json!({"e": RSA_N})),
        with(rsa(), json!({"n": "+/=="})),
        with(rsa(), json!({"n": 5})),
        with(ec(), json!({"y": EC_X})),
        with(ec(), json!({"x": ""})),
        with(ec(), json!({"x": base64(&[0; 33])})),
        with(ed(), json!({"x": base64(&[0; 31])})),
        // Of small order: the neutral element, and a point that is written with a y of p + 1.
        with(ed(), json!({"x": base64(&[&[1][..], &[0; 31]].concat())})),
        with(ed(), json!({"x": base64(&[&[0xee][..], &[0xff; 30], &[0x7f]].concat())})),
        // y = 3 and y = p + 3 are the same point, of large order.
        with(ed(), json!({"x": base64(&[&[0xf0][..], &[0xff; 30], &[0x7f]].concat())})),
        with(ed(), json!({"kid": 1})),
        with(ed(), json!({"use": ["sig"]})),
        with(ed(), json!({"key_ops": "verify"})),
        json!({"crv": "Ed25519", "x": ED_X}),
    ] {
        assert_eq!(beside(key.clone()), (0, 1), "{key}");
    }
    assert_eq!(beside(with(ed(), json!({"x": base64(&[&[3][..], &[0; 31]].concat())}))), (1, 0), "y = 3 itself");
    assert_eq!(beside(with(rsa(), json!({"n": modulus(4096)}))), (1, 0));
}

#[test]
fn a_set_without_a_key_that_is_taken_is_refused_and_says_why() {
    for (json, word) in [
        ("", "no JWKS"),
        ("[]", "no JWKS"),
        ("{}", "no JWKS"),
        (r#"{"keys":{}}"#, "no JWKS"),
        (r#"{"keys":[1]}"#, "no JWKS"),
        (r#"{"keys":[],"keys":[]}"#, "no JWKS"),
        (r#"{"keys":[{"kty":"RSA","kty":"oct"}]}"#, "no JWKS"),
        (r#"{"keys":[]}"#, "no key"),
        (r#"{"keys":[{"kty":"oct","k":"x"}]}"#, "secret"),
    ] {
        let error = KeySet::parse(json.as_bytes()).expect_err(json);
        let told = format!("{error} {:?}", error.left_out());
        assert!(told.contains(word), "{json}: {told}");
    }
}

fn find(keys: Value, algorithm: &str, id: Option<&str>) -> Result<usize, NoKey> {
    let mut header = json!({ "alg": algorithm });
    if let Some(id) = id {
        header["kid"] = id.into();
    }
    let text = format!("{}.e30.", URL_SAFE_NO_PAD.encode(header.to_string()));
    let token = Token::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let set = parse(keys).unwrap_or_else(|reason| panic!("{reason}"));
    set.find(&token).map(|key| set.keys.iter().position(|named| named.key == *key).expect("one of them"))
}

#[test]
fn the_key_id_must_match_unless_one_key_alone_fits() {
    let named = |id: &str, key: Value| with(key, json!({ "kid": id }));
    let one = || json!([named("a", ed()), named("r", rsa())]);
    assert_eq!(find(one(), "EdDSA", Some("a")), Ok(0));
    assert_eq!(find(one(), "EdDSA", None), Ok(0));
    assert_eq!(find(one(), "EdDSA", Some("r")), Err(NoKey::Unknown), "the key of another algorithm");
    assert_eq!(find(one(), "EdDSA", Some("x")), Err(NoKey::Unknown));
    assert_eq!(find(one(), "ES256", None), Err(NoKey::Unknown));
    assert_eq!(find(json!([ed()]), "EdDSA", Some("x")), Ok(0), "the only key has no name");

    let other = with(ed(), json!({"x": URL_SAFE_NO_PAD.encode([&[3][..], &[0; 31]].concat())}));
    let two = || json!([named("a", ed()), named("b", other.clone())]);
    assert_eq!(find(two(), "EdDSA", Some("b")), Ok(1));
    assert_eq!(find(two(), "EdDSA", None), Err(NoKey::Ambiguous));
    assert_eq!(find(two(), "EdDSA", Some("x")), Err(NoKey::Unknown));
    assert_eq!(find(json!([ed(), other.clone()]), "EdDSA", None), Err(NoKey::Ambiguous));
    assert_eq!(find(json!([ed(), other.clone()]), "EdDSA", Some("a")), Err(NoKey::Unknown));
    assert_eq!(find(json!([named("a", ed()), named("a", other.clone())]), "EdDSA", Some("a")), Err(NoKey::Ambiguous));
}
