use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::deploy::settings::{Declared, Manifest};

const SEAL_KEY: &str = "u3Yx0m1Zk8wq4S7cVtB2nL5pR9eH6jD0aFgTiKoQyXE=";
const DIGEST: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn good() -> Settings {
    let variables = [
        ("redis_url", "rediss://renttracker:f3b9c1d7a5e2084c6d1f@cache.internal:6379"),
        ("redis_address", "rediss://cache.internal:6379"),
        ("database_url", "postgres://renttracker_edge:9a7c5e3b1d8f6024a1c7@db.internal/renttracker?sslmode=require"),
        ("database_address", "postgres://db.internal:5432"),
        ("jwt_secret", "Jm2vX8qT5wZ1nR7cK4hP9sL3dF6gB0yA+uEoIxWzVtQ="),
        ("cache_seal_key", SEAL_KEY),
        ("cors_allowed_origins", "https://app.renttracker.example, https://admin.renttracker.example"),
        ("breaker_store", "key-value"),
    ];
    let more = ["redis_token", "jwt_jwks_url", "alert_webhook_url", "origin_url", "origin_address"];
    let of_region = ["region", "session_key", "database_read_url", "database_read_address"];
    let names: Vec<&str> = variables.iter().map(|(name, _)| *name).chain(more).chain(of_region).collect();
    Settings {
        target: Target::Kubernetes,
        variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<BTreeMap<_, _>>(),
        declared: Declared {
            names: set(&names),
            required: set(&["redis_url", "redis_address", "database_url", "database_address", "jwt_secret"]),
            secret: set(&["redis_url", "database_url", "jwt_secret", "cache_seal_key"]),
        },
        secret_files: vec![("secrets.env".into(), 0o100_600)],
        store: Some(Store { kind: "aws_dynamo".into(), path: None, consistent_read: true }),
        manifest: Some(Manifest {
            image: "registry.corp/edge:1.2.3".into(),
            literal: set(&["redis_address"]),
            locale: Some("C.UTF-8".into()),
        }),
        images: vec![("redis.yaml".into(), format!("docker.io/library/redis:8.2.10-bookworm@sha256:{DIGEST}"))],
        development_secret: Some("c1RkZmprNDVuc2RmMzRuYXNkZjk4NDNuZmFzZGY=".into()),
    }
}

/// The good settings pass, and with this change there is exactly one finding, about `what`, that says `problem`.
#[track_caller]
fn refuses(what: &str, problem: &str, change: impl FnOnce(&mut Settings)) {
    let mut settings = good();
    change(&mut settings);
    let found = findings(&settings);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].what, what);
    assert!(found[0].problem.contains(problem), "{found:#?}");
    assert!(!found[0].mend.is_empty());
}

#[track_caller]
fn passes(change: impl FnOnce(&mut Settings)) {
    let mut settings = good();
    change(&mut settings);
    assert_eq!(findings(&settings), Vec::new());
}

/// Sets a variable.
fn to(name: &str, value: &str) -> impl FnOnce(&mut Settings) + use<> {
    let (name, value) = (name.to_owned(), value.to_owned());
    move |settings| drop(settings.variables.insert(name, value))
}

#[test]
fn what_is_good_passes() {
    passes(|_| {});
}

#[test]
fn a_variable_that_does_not_exist_is_missing_or_is_a_placeholder() {
    refuses("redis_ulr", "no variable", to("redis_ulr", "x"));
    refuses("jwt_secret", "not set", |settings| drop(settings.variables.remove("jwt_secret")));
    refuses("redis_token", "placeholder", to("redis_token", "<its standard token>"));
}

#[test]
fn a_file_with_secrets_that_others_can_read() {
    for mode in [0o100_644, 0o100_640, 0o100_602] {
        refuses("secrets.env", "read by others", |settings| settings.secret_files[0].1 = mode);
    }
    passes(|settings| settings.secret_files[0].1 = 0o100_400);
}

#[test]
fn a_token_secret_that_is_short_known_or_no_random_one() {
    refuses("jwt_secret", "has 31 bytes", to("jwt_secret", "Jm2vX8qT5wZ1nR7cK4hP9sL3dF6gB0y"));
    refuses("jwt_secret", "demo on this machine", to("jwt_secret", "c1RkZmprNDVuc2RmMzRuYXNkZjk4NDNuZmFzZGY="));
    refuses("jwt_secret", "no random", to("jwt_secret", "my-very-long-Secret-for-signing-tokens"));
    refuses("jwt_secret", "repeats", to("jwt_secret", &"abab".repeat(12)));
}

#[test]
fn keys_for_tokens_that_come_without_tls() {
    refuses("jwt_jwks_url", "without TLS", to("jwt_jwks_url", "http://issuer.example/jwks.json"));
    passes(to("jwt_jwks_url", "https://issuer.example/jwks.json"));
}

#[test]
fn no_seal_key_or_one_that_seals_nothing() {
    refuses("cache_seal_key", "is not set", |settings| drop(settings.variables.remove("cache_seal_key")));
    refuses("cache_seal_key", "16 bytes", to("cache_seal_key", "AAECAwQFBgcICQoLDA0ODw=="));
    refuses("cache_seal_key", "not base64", to("cache_seal_key", "not/base64!"));
    refuses("cache_seal_key", "repeated byte", to("cache_seal_key", &STANDARD.encode([0; 32])));
    refuses("cache_seal_key", "16 bytes", to("cache_seal_key", &format!("{SEAL_KEY},AAECAwQFBgcICQoLDA0ODw==")));
    passes(to("cache_seal_key", &format!("{SEAL_KEY}, {SEAL_KEY}")));
}

/// The URL and the address with it, so that nothing but what is meant is found.
fn redis_at(url: &str, address: &str) -> impl FnOnce(&mut Settings) + use<> {
    let (url, address) = (url.to_owned(), address.to_owned());
    move |settings| {
        settings.variables.insert("redis_url".into(), url);
        settings.variables.insert("redis_address".into(), address);
    }
}

#[test]
fn a_redis_without_tls_without_a_user_or_with_a_weak_password() {
    let plain = "redis://cache.internal:6379";
    refuses("redis_url", "without TLS", redis_at("redis://edge:f3b9c1d7a5e2084c6d1f@cache.internal:6379", plain));
    passes(redis_at("redis://edge:f3b9c1d7a5e2084c6d1f@127.0.0.1:6379", "redis://127.0.0.1:6379"));
    refuses("redis_url", "default user", to("redis_url", "rediss://:f3b9c1d7a5e2084c6d1f@cache.internal:6379"));
    refuses("redis_url", "default user", to("redis_url", "rediss://default:f3b9c1d7a5e2084c6d1f@cache.internal:6379"));
    refuses("redis_url", "has 0 bytes", to("redis_url", "rediss://edge@cache.internal:6379"));
    refuses("redis_url", "has 5 bytes", to("redis_url", "rediss://edge:short@cache.internal:6379"));
    let insecure = "rediss://edge:f3b9c1d7a5e2084c6d1f@cache.internal:6379/#insecure";
    refuses("redis_url", "any certificate", to("redis_url", insecure));
    refuses("redis_url", "no URL", to("redis_url", "cache.internal"));
}

#[test]
fn upstash_without_tls_without_a_token_or_by_a_connection() {
    const TOKEN: &str = "AYNgASQgZTc3Y2Q5MGItOGY2ZC00NzAyLTg=";
    let at = |url: &str, token: &str| {
        let (move_to, token) = (redis_at(url, url), token.to_owned());
        move |settings: &mut Settings| {
            move_to(settings);
            settings.variables.insert("redis_token".into(), token);
        }
    };
    passes(at("https://eu1-x-1.upstash.io", TOKEN));
    passes(at("https://eu1-x-1.upstash.io:443", TOKEN));
    passes(at("http://127.0.0.1:8079", TOKEN));
    refuses("redis_url", "without TLS", at("http://eu1-x-1.upstash.io", TOKEN));
    refuses("redis_token", "is not set", at("https://eu1-x-1.upstash.io", ""));
    refuses("redis_token", "has 5 bytes", at("https://eu1-x-1.upstash.io", "short"));
    let native = "rediss://edge:f3b9c1d7a5e2084c6d1f@eu1-x-1.upstash.io:6379";
    refuses("redis_url", "any replica", redis_at(native, "rediss://eu1-x-1.upstash.io:6379"));
    refuses("redis_address", "not where", |settings| {
        at("https://eu1-x-1.upstash.io", TOKEN)(settings);
        settings.variables.insert("redis_address".into(), "https://eu2-x-1.upstash.io".into());
    });
}

#[test]
fn an_address_that_is_not_where_the_url_leads() {
    refuses("redis_address", "not where", to("redis_address", "rediss://cache.internal:6380"));
    refuses("redis_address", "not where", to("redis_address", "redis://cache.internal:6379"));
    refuses("database_address", "not where", to("database_address", "postgres://other.internal:5432"));
}

fn database_as(user: &str, options: &str) -> impl FnOnce(&mut Settings) + use<> {
    to("database_url", &format!("postgres://{user}:9a7c5e3b1d8f6024a1c7@db.internal/renttracker{options}"))
}

#[test]
fn a_database_role_that_row_level_security_does_not_bind() {
    for user in ["postgres", "rdsadmin", "renttracker_owner", "migrations", "renttracker_app", ""] {
        refuses("database_url", if user.is_empty() { "no role" } else { user }, database_as(user, "?sslmode=require"));
    }
}

#[test]
fn a_database_without_tls_or_with_a_weak_password() {
    refuses("database_url", "without TLS", database_as("edge", ""));
    refuses("database_url", "without TLS", database_as("edge", "?sslmode=prefer"));
    refuses("database_url", "without TLS", database_as("edge", "?sslmode=disable"));
    refuses(
        "database_url",
        "the password",
        to("database_url", "postgres://edge:password@db.internal/x?sslmode=require"),
    );
    passes(|settings| {
        let url = "postgres://edge:9a7c5e3b1d8f6024a1c7@127.0.0.1/renttracker";
        settings.variables.insert("database_url".into(), url.into());
        settings.variables.insert("database_address".into(), "postgres://127.0.0.1:5432".into());
    });
}

#[test]
fn a_region_without_a_key_for_its_sessions_or_with_a_weak_one() {
    refuses("session_key", "region is", to("region", "eu"));
    refuses("session_key", "16 bytes", to("session_key", "AAECAwQFBgcICQoLDA0ODw=="));
    refuses("session_key", "repeated byte", to("session_key", &STANDARD.encode([0; 32])));
    passes(|settings| {
        to("region", "eu")(settings);
        to("session_key", SEAL_KEY)(settings);
    });
}

#[test]
fn a_standby_that_is_reached_without_tls_not_at_all_or_by_a_role_that_nothing_binds() {
    let url = |user: &str, options: &str| format!("postgres://{user}:9a7c5e3b1d8f6024a1c7@standby.internal/d{options}");
    let standby = |url: String, address: &'static str| {
        move |settings: &mut Settings| {
            settings.variables.insert("database_read_url".into(), url);
            settings.variables.insert("database_read_address".into(), address.into());
        }
    };
    let (address, tls) = ("postgres://standby.internal:5432", "?sslmode=require");
    passes(standby(url("edge", tls), address));
    refuses("database_read_url", "without TLS", standby(url("edge", ""), address));
    refuses("database_read_url", "postgres", standby(url("postgres", tls), address));
    refuses("database_read_address", "not set", standby(url("edge", tls), ""));
    refuses("database_read_address", "not where", standby(url("edge", tls), "postgres://db.internal:5432"));
}

#[test]
fn origins_that_are_everybody_local_or_without_tls() {
    let name = "cors_allowed_origins";
    refuses(name, "every site", to(name, "*"));
    refuses(name, "every site", to(name, "https://*.renttracker.example"));
    refuses(name, "landlord's computer", to(name, "https://app.renttracker.example,http://localhost:5112"));
    refuses(name, "landlord's computer", to(name, "http://127.0.0.1:5112"));
    refuses(name, "on the way", to(name, "http://app.renttracker.example"));
    refuses(name, "development origins", |settings| drop(settings.variables.remove(name)));
    passes(to(name, ""));
}

#[test]
fn a_webhook_without_tls() {
    refuses("alert_webhook_url", "without TLS", to("alert_webhook_url", "http://hooks.example/T0/B0"));
    passes(to("alert_webhook_url", "https://hooks.example/T0/B0"));
}

#[test]
fn a_backend_that_is_reached_without_tls_or_not_at_all() {
    let behind = |url: &'static str, address: &'static str| {
        move |settings: &mut Settings| {
            settings.variables.insert("origin_url".into(), url.into());
            settings.variables.insert("origin_address".into(), address.into());
        }
    };
    refuses("origin_url", "without TLS", behind("http://backend.example", "http://backend.example:80"));
    refuses("origin_address", "not set", behind("https://backend.example", ""));
    refuses("origin_address", "not where", behind("https://backend.example", "https://other.example"));
    passes(behind("https://backend.example", "https://backend.example:443"));
    passes(behind("http://127.0.0.1:5000", "http://127.0.0.1:5000"));
}

fn kept_in(kind: &str, path: Option<&str>, target: Target) -> impl FnOnce(&mut Settings) + use<> {
    let store = Store { kind: kind.into(), path: path.map(str::to_owned), consistent_read: false };
    move |settings| {
        settings.store = Some(store);
        settings.target = target;
    }
}

#[test]
fn a_store_that_is_not_one_for_all_or_cannot_swap() {
    let what = "runtime-config.toml";
    refuses(what, "store of its own", kept_in("spin", Some("/state/kv.db"), Target::Kubernetes));
    refuses(what, "in memory", kept_in("spin", None, Target::OneMachine));
    passes(kept_in("spin", Some("/var/lib/renttracker/key-value.db"), Target::OneMachine));
    refuses(what, "reports failure", kept_in("redis", None, Target::OneMachine));
    refuses(what, "reports failure", kept_in("redis", None, Target::Kubernetes));
    refuses(what, "as it may have been", kept_in("aws_dynamo", None, Target::Kubernetes));
    passes(kept_in("azure_cosmos", None, Target::Kubernetes));
    refuses(what, "not known", kept_in("etcd", None, Target::Kubernetes));
}

#[test]
fn any_store_will_do_where_the_record_is_in_the_database() {
    for (kind, target) in [("spin", Target::Kubernetes), ("redis", Target::Kubernetes), ("etcd", Target::OneMachine)] {
        let keep = kept_in(kind, None, target);
        passes(|settings| {
            keep(settings);
            to("breaker_store", "database")(settings);
        });
    }
    refuses("breaker_store", "neither", to("breaker_store", "redis"));
    let akamai = |settings: &mut Settings| {
        settings.target = Target::Akamai;
        settings.store = None;
    };
    refuses("breaker_store", "without compare-and-swap", akamai);
    passes(|settings| {
        akamai(settings);
        to("breaker_store", "database")(settings);
    });
}

#[test]
fn a_manifest_with_secrets_without_a_version_or_of_the_example() {
    let change = |image: &str| {
        let image = image.to_owned();
        move |settings: &mut Settings| settings.manifest.as_mut().expect("a manifest").image = image
    };
    refuses("app.yaml", "no version", change("registry.corp:5000/edge"));
    refuses("app.yaml", "no version", change("registry.corp/edge:latest"));
    refuses("app.yaml", "example's registry", change("registry.example/edge:1.0.0"));
    passes(change("registry.corp/edge@sha256:0123"));
    refuses("app.yaml", "secret jwt_secret", |settings| {
        settings.manifest.as_mut().expect("a manifest").literal.insert("jwt_secret".into());
    });
}

#[test]
fn a_database_whose_letters_are_those_of_ascii() {
    let change = |locale: Option<&str>| {
        let locale = locale.map(str::to_owned);
        move |settings: &mut Settings| settings.manifest.as_mut().expect("a manifest").locale = locale
    };
    refuses("postgres.yaml", "letters of ASCII", change(Some("C")));
    refuses("postgres.yaml", "letters of ASCII", change(Some("POSIX")));
    passes(change(Some("en_US.UTF-8")));
    passes(change(None));
}

#[test]
fn no_finding_repeats_a_secret() {
    let mut settings = good();
    for (name, value) in [
        ("redis_url", "redis://default:redispass@cache.internal"),
        ("database_url", "postgres://postgres:pgpass@db.internal/x"),
        ("jwt_secret", "jwtjwtjwt"),
        ("cache_seal_key", "sealseal"),
        ("session_key", "session-signing"),
        ("database_read_url", "postgres://postgres:readpass@db.internal/x"),
    ] {
        settings.variables.insert(name.into(), value.into());
    }
    let text = format!("{:?}", findings(&settings));
    for secret in ["redispass", "pgpass", "jwtjwtjwt", "sealseal", "session-signing", "readpass"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn an_image_of_a_server_with_a_published_vulnerability() {
    let run = |image: &'static str| move |settings: &mut Settings| settings.images[0].1 = image.into();
    refuses("redis.yaml", "no longer gets repairs", run("docker.io/library/redis:7.0.15-bookworm"));
    refuses("redis.yaml", "CVE-2026-92925", run("docker.io/library/redis:8.2.9-bookworm"));
    refuses("redis.yaml", "no full version", run("docker.io/library/redis:8"));
}

#[test]
fn a_third_party_image_without_a_digest() {
    let run = |file: &'static str, image: String| {
        move |settings: &mut Settings| settings.images = vec![(file.to_owned(), image)]
    };
    let spin = "ghcr.io/spinframework/spin:v4.1.0";
    refuses("redis.yaml", "no digest", run("redis.yaml", "docker.io/library/redis:8.2.10-bookworm".into()));
    refuses("executor.yaml", "no digest", run("executor.yaml", spin.into()));
    refuses("executor.yaml", "no digest", run("executor.yaml", format!("{spin}@sha256:{}", &DIGEST[1..])));
    refuses("executor.yaml", "no digest", run("executor.yaml", format!("{spin}@sha256:{}", DIGEST.to_uppercase())));
    passes(run("executor.yaml", format!("{spin}@sha256:{DIGEST}")));
    passes(run("app.yaml", "registry.corp/edge:1.2.3".into()));
}
