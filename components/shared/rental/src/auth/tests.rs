//! Tokens as a whole: what is let in, what is refused, and attacks. The keys are those of RFC 7515 (A.1 to A.3) and RFC 8037
//! (A.1), which everybody knows, so nothing but a test can ever be signed with them.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use rsa::BoxedUint;
use serde_json::{Value, json};
use sha2::Sha256;
use std::rc::Rc;
use std::time::Duration;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const NOW: u64 = 1_700_000_000;

pub const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
pub const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
pub const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// The set that the tests verify with.
fn jwks() -> Value {
    json!({"keys": [
        {"kty": "RSA", "kid": "r", "n": RSA_N, "e": "AQAB", "alg": "RS256", "use": "sig"},
        {"kty": "EC", "kid": "e", "crv": "P-256", "x": EC_X, "y": EC_Y},
        {"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": ED_X, "key_ops": ["verify"]},
    ]})
}

pub fn policy() -> Policy {
    let keys = KeySet::parse(jwks().to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    Policy {
        secret: Some(Key::Hs256(SECRET.into())),
        source: Some(KeySource::Inline(Rc::new(keys))),
        ages: Ages { refresh: Duration::from_secs(240), keep: Duration::from_secs(3_600) },
        issuer: "RentTracker".into(),
        audience: "RentTracker".into(),
    }
}

/// Signs with the private key, or secret, of an algorithm.
fn sign_with(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let number = |text| BoxedUint::from_be_slice_vartime(&bytes(text));
    match algorithm {
        Algorithm::Hs256 => mac(SECRET.as_bytes(), message),
        Algorithm::Rs256 => {
            let key = rsa::PrivateKey::from_p_q(number(RSA_P), number(RSA_Q), 65_537_u64.into()).expect("a key");
            key.pkcs1v15_sign::<Sha256>(message).expect("signs")
        }
        Algorithm::Es256 => {
            let key = p256::ecdsa::SigningKey::from_slice(&bytes(EC_D)).expect("a key");
            let signature: p256::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::EdDsa => {
            let key = ed25519_dalek::SigningKey::from_bytes(&bytes(ED_D).try_into().expect("32 bytes"));
            key.sign(message).to_bytes().to_vec()
        }
    }
}

fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    let mac = hmac::Hmac::<Sha256>::new_from_slice(secret).expect("a key");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn token_of(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims(rest: &str) -> String {
    format!(r#"{{"iss":"RentTracker","aud":"RentTracker","exp":{}{rest}}}"#, NOW + 10)
}

fn check(token: &str) -> Result<Caller, Error> {
    let policy = policy();
    let Some(KeySource::Inline(keys)) = &policy.source else { panic!("a set is given") };
    let authorization = format!("Bearer {token}");
    let token = Token::parse(bearer(Some(authorization.as_bytes()))?)?;
    match verify(&token, &policy, Some(keys), NOW) {
        Verification::Verified(verified) => Ok(verified.caller),
        Verification::UnknownKey => Err(Error::Unauthenticated("an unknown key")),
        Verification::Refused(error) => Err(error),
    }
}

fn refused(token: &str, why: &str) {
    assert!(matches!(check(token), Err(Error::Unauthenticated(_))), "{why}: {:?}", check(token));
}

fn caller(header: &str, payload: &str) -> Result<Caller, Error> {
    check(&token_of(header, payload, |message| sign_with(Algorithm::Hs256, message)))
}

const SIGNERS: [(Algorithm, &str); 4] = [
    (Algorithm::Hs256, r#"{"alg":"HS256"}"#),
    (Algorithm::Rs256, r#"{"alg":"RS256","kid":"r"}"#),
    (Algorithm::Es256, r#"{"alg":"ES256","kid":"e"}"#),
    (Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"o"}"#),
];

#[test]
fn a_token_of_each_algorithm_is_let_in() {
    for (algorithm, header) in SIGNERS {
        let token = token_of(header, &claims(r#","sub":"a""#), |message| sign_with(algorithm, message));
        assert_eq!(check(&token).map(|caller| caller.tenant.to_string()), Ok("a".into()), "{header}");
    }
}

#[test]
fn a_key_verifies_its_own_algorithm_and_no_other() {
    for (said, header) in SIGNERS {
        for (signed, _) in SIGNERS.iter().filter(|(signed, _)| *signed != said) {
            let token = token_of(header, &claims(r#","sub":"a""#), |message| sign_with(*signed, message));
            refused(&token, &format!("{header} signed with {signed:?}"));
        }
    }
}

#[test]
fn no_algorithm_and_no_signature_is_refused_in_any_spelling() {
    for algorithm in ["none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "PS256", "ES384", "Ed25519"] {
        let header = json!({ "alg": algorithm, "kid": "r" }).to_string();
        refused(&token_of(&header, &claims(r#","sub":"a""#), |_| Vec::new()), algorithm);
        refused(&token_of(&header, &claims(r#","sub":"a""#), |it| sign_with(Algorithm::Rs256, it)), algorithm);
    }
}

/// A key in DER (SubjectPublicKeyInfo): what comes before the key's own bytes is the same for all of its kind and size.
fn der(prefix: &str, key: &[u8], rest: &[u8]) -> Vec<u8> {
    let prefix = (0..prefix.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(prefix.get(at..at + 2).expect("two digits"), 16).expect("hexadecimal"));
    prefix.chain(key.iter().copied()).chain(rest.iter().copied()).collect()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[test]
fn a_public_key_is_no_secret_in_any_form() {
    let ders = [
        der("30820122300d06092a864886f70d01010105000382010f003082010a0282010100", &bytes(RSA_N), &[2, 3, 1, 0, 1]),
        der("3059301306072a8648ce3d020106082a8648ce3d03010703420004", &bytes(EC_X), &bytes(EC_Y)),
        der("302a300506032b6570032100", &bytes(ED_X), &[]),
    ];
    let mut secrets: Vec<Vec<u8>> = ders
        .iter()
        .flat_map(|der| {
            let pem = pem(der);
            [der.clone(), pem.trim_end().into(), pem.replace('\n', "\r\n").into(), pem.into()]
        })
        .collect();
    for text in [RSA_N, EC_X, EC_Y, ED_X] {
        secrets.extend([text.into(), bytes(text)]);
    }
    let set = jwks();
    secrets.extend(set["keys"].as_array().expect("keys").iter().map(|key| key.to_string().into_bytes()));
    secrets.extend([set.to_string().into_bytes(), Vec::new()]);
    for secret in secrets {
        for kid in ["r", "e", "o"] {
            let header = json!({ "alg": "HS256", "kid": kid }).to_string();
            let token = token_of(&header, &claims(r#","sub":"a""#), |message| mac(&secret, message));
            refused(&token, &String::from_utf8_lossy(&secret));
            for algorithm in ["RS256", "ES256", "EdDSA"] {
                let header = json!({ "alg": algorithm, "kid": kid }).to_string();
                refused(&token_of(&header, &claims(r#","sub":"a""#), |message| mac(&secret, message)), algorithm);
            }
        }
    }
}

#[test]
fn a_key_in_the_token_itself_is_not_looked_at() {
    // Another key than ours, whose owner signs for himself (RFC 7515, section 4.1.2 and 4.1.3).
    let own = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.verifying_key().as_bytes())});
    for member in
        [json!({ "jwk": jwk }), json!({ "jku": "https://evil.example/jwks" }), json!({ "x5u": "https://evil.example" })]
    {
        let mut header = json!({ "alg": "EdDSA", "kid": "o" });
        header.as_object_mut().expect("an object").extend(member.as_object().expect("an object").clone());
        let token =
            token_of(&header.to_string(), &claims(r#","sub":"a""#), |message| own.sign(message).to_bytes().to_vec());
        refused(&token, &header.to_string());
    }
}

#[test]
fn another_key_id_finds_no_key() {
    for (algorithm, header) in &SIGNERS[1..] {
        let with = |kid: &Value| {
            let mut header: Value = serde_json::from_str(header).expect("JSON");
            header["kid"] = kid.clone();
            token_of(&header.to_string(), &claims(r#","sub":"a""#), |message| sign_with(*algorithm, message))
        };
        for kid in [json!("x"), json!(""), json!("R"), json!(1), json!(null), json!(["r"]), json!("../../dev/null")] {
            refused(&with(&kid), &format!("{header} with {kid}"));
        }
    }
}

#[test]
fn a_signature_of_another_length_or_with_a_bit_changed_is_refused() {
    for (algorithm, header) in SIGNERS {
        let with = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
            token_of(header, &claims(r#","sub":"a""#), |message| change(sign_with(algorithm, message)))
        };
        assert!(check(&with(&|it| it)).is_ok());
        refused(&with(&|_| Vec::new()), "none");
        refused(&with(&|it| it[..it.len() - 1].to_vec()), "cut off");
        refused(&with(&|it| [it.as_slice(), &[0]].concat()), "longer");
        refused(&with(&|it| [&[0], it.as_slice()].concat()), "longer in front");
        refused(&with(&|it| vec![0; it.len()]), "zeros");
        refused(&with(&|it| vec![0xff; it.len()]), "ones");
        for bit in (0..256).step_by(37) {
            refused(
                &with(&|mut it| {
                    it[bit / 8] ^= 1 << (bit % 8);
                    it
                }),
                "a bit",
            );
        }
    }
}

#[test]
fn a_token_cut_off_anywhere_is_refused() {
    for (algorithm, header) in SIGNERS {
        let token = token_of(header, &claims(r#","sub":"a""#), |message| sign_with(algorithm, message));
        for length in (0..token.len()).step_by(7).chain([token.len() - 1]) {
            let cut = token.get(..length).expect("ASCII");
            refused(cut, cut);
        }
        refused(&format!("{token}."), "a part more");
        refused(&format!("{token}="), "padding");
        refused(&format!("{token}\n"), "a new line");
    }
}

#[test]
fn members_that_stand_twice_and_critical_extensions_are_refused() {
    let good = claims(r#","sub":"a""#);
    for header in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","x":1,"x":2}"#,
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","kid":5}"#,
        r#"{"alg":["HS256"]}"#,
        "{}",
        "[]",
        "null",
        "",
    ] {
        assert!(matches!(caller(header, &good), Err(Error::Unauthenticated(_))), "{header}");
    }
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    assert!(caller(header, &good).is_ok());
    for rest in [r#","sub":"a","sub":"b""#, r#","sub":"a","exp":99999999999"#, r#","sub":"a","x":{},"x":{}"#] {
        assert!(matches!(caller(header, &claims(rest)), Err(Error::Unauthenticated(_))), "{rest}");
    }
    for payload in ["[]", "null", "\"a\"", "", "{", &"[".repeat(5_000)] {
        assert!(matches!(caller(header, payload), Err(Error::Unauthenticated(_))), "{payload}");
    }
}

#[test]
fn a_token_above_8_kib_is_refused_unread() {
    let with =
        |length: usize| caller(r#"{"alg":"HS256"}"#, &claims(&format!(r#","sub":"a","x":"{}""#, "x".repeat(length))));
    assert!(with(5_900).is_ok());
    assert!(with(6_200).is_err());
    assert!(with(100 * 1024).is_err());
}

#[test]
fn the_tenant_is_the_first_present_of_its_claims() {
    let tenant = |rest: &str| caller(r#"{"alg":"HS256"}"#, &claims(rest)).map(|caller| caller.tenant.to_string());
    assert_eq!(tenant(r#","sub":"d","nameid":"c""#), Ok("c".into()));
    assert_eq!(tenant(r#","sub":"d","tenant_id":"a""#), Ok("a".into()));
    assert_eq!(tenant(r#","sub":"d""#), Ok("d".into()));
    for bad in [
        r#","tenant_id":"","sub":"d""#,
        r#","tenant_id":5,"sub":"d""#,
        r#","tenant_id":null,"sub":"d""#,
        r#","sub":"a:b""#,
        "",
    ] {
        assert!(matches!(tenant(bad), Err(Error::Forbidden(_))), "{bad}");
    }
}

#[test]
fn times_count_with_a_minute_of_skew() {
    let at = |times: &str| {
        caller(r#"{"alg":"HS256"}"#, &format!(r#"{{"iss":"RentTracker","aud":["x","RentTracker"],"sub":"a"{times}}}"#))
    };
    assert!(at(&format!(r#","exp":{}"#, NOW - 59)).is_ok());
    assert!(at(&format!(r#","exp":{}"#, NOW - 60)).is_err());
    assert!(at(&format!(r#","exp":{}.5,"nbf":{}"#, NOW, NOW + 60)).is_ok());
    assert!(at(&format!(r#","exp":{},"nbf":{}"#, NOW + 99, NOW + 61)).is_err());
    assert!(at(&format!(r#","exp":{},"iat":{}"#, NOW + 99, NOW + 61)).is_err());
    assert!(at("").is_err());
    assert!(at(r#","exp":"soon""#).is_err());
    assert!(at(r#","exp":1e999"#).is_err());
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let header = r#"{"alg":"HS256"}"#;
    assert!(caller(header, &claims(r#","sub":"a""#).replace(r#""iss":"RentTracker""#, r#""iss":"X""#)).is_err());
    assert!(caller(header, &claims(r#","sub":"a""#).replace(r#""aud":"RentTracker""#, r#""aud":"X""#)).is_err());
}

#[test]
fn the_role_is_a_text_or_a_list() {
    let admin = |rest: &str| {
        caller(r#"{"alg":"HS256"}"#, &claims(&format!(r#","sub":"a"{rest}"#))).map(|caller| caller.is_admin)
    };
    assert_eq!(admin(r#","role":"Admin""#), Ok(true));
    assert_eq!(admin(r#","role":["User","Admin"]"#), Ok(true));
    assert_eq!(admin(r#","http://schemas.microsoft.com/ws/2008/06/identity/claims/role":"Admin""#), Ok(true));
    assert_eq!(admin(r#","role":"admin""#), Ok(false));
    assert_eq!(admin(""), Ok(false));
}

#[test]
fn a_value_that_is_no_bearer_token_is_refused() {
    for bad in ["", "Bearer", "Basic a.b.c", "Bearera.b.c"] {
        assert!(matches!(bearer(Some(bad.as_bytes())), Err(Error::Unauthenticated(_))), "{bad}");
    }
    for bad in ["", "a.b", "a.b.c.d", "...", "ä.b.c"] {
        refused(bad, bad);
    }
    assert!(bearer(None).is_err());
    assert!(bearer(Some(&[0xff])).is_err());
    assert_eq!(bearer(Some(b"bEARER  a.b.c")), Ok("a.b.c"));
}

proptest! {
    /// Whatever is sent is refused and nothing breaks: random texts, and good tokens with some of their bytes changed.
    #[test]
    fn what_was_not_signed_is_refused(text in ".{0,80}", at in 0_usize..200, to in proptest::char::range('-', 'z')) {
        refused(&text, "random");
        let good = token_of(r#"{"alg":"EdDSA","kid":"o"}"#, &claims(r#","sub":"a""#), |it| sign_with(Algorithm::EdDsa, it));
        let mut changed: Vec<char> = good.chars().collect();
        let place = at % changed.len();
        prop_assume!(changed[place] != to);
        changed[place] = to;
        let changed: String = changed.into_iter().collect();
        refused(&changed, &changed);
    }
}
