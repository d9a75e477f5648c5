//! Redis and PostgreSQL over TLS, with the user of `infra/redis/users.acl`: the same answers, and no certificate taken on
//! trust.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use serde_json::json;
use stack::Postgres;

use crate::auth::acl;
use crate::support::certificates::Certificates;
use crate::support::outages::{BRISK, a_full_round};
use crate::support::secured::{COMPONENTS, Secured};
use crate::support::{Cache, Place, Private, eventually, property_path, scratch, trials};

trials![
    requests_work_over_tls_with_the_restricted_user,
    a_server_with_an_untrusted_certificate_is_not_used,
    a_certificate_for_another_name_is_not_taken,
];

/// A PostgreSQL that speaks TLS too: its database's URL.
fn postgres(certificates: &Certificates) -> (Postgres, String) {
    let postgres = Postgres::start_for_tests(&scratch("postgres")).expect("PostgreSQL starts");
    postgres.create_database("own").expect("a database");
    let url = postgres.url("own");
    stack::migrate(&url).expect("the schema");
    let owner = std::fs::metadata(postgres.data_dir()).expect("its folder");
    let own = |from: &std::path::Path, name: &str| {
        let path = postgres.data_dir().join(name);
        std::fs::copy(from, &path).expect("copied");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("given to the server");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("for it alone");
        path.display().to_string()
    };
    let (server, key) = (own(&certificates.server, "server.pem"), own(&certificates.key, "server.key"));
    let mut sql = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
    for statement in [
        format!("ALTER SYSTEM SET ssl_cert_file = '{server}'"),
        format!("ALTER SYSTEM SET ssl_key_file = '{key}'"),
        "ALTER SYSTEM SET ssl = on".into(),
        "SELECT pg_reload_conf()".into(),
    ] {
        sql.batch_execute(&statement).expect("a setting");
    }
    eventually("PostgreSQL has read its settings", || {
        let on: String = sql.query_one("SHOW ssl", &[]).expect("a setting").get(0);
        (on == "on").then_some(())
    });
    (postgres, url)
}

/// How the components reach both, with deadlines for a machine that is busy compiling.
fn variables(secured: &Secured, database_url: &str) -> Vec<(&'static str, String)> {
    let mut changes: Vec<(&str, String)> = BRISK.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let address = format!("127.0.0.1:{}", secured.tls_port);
    let database_url = format!("{database_url}?sslmode=require");
    changes.extend([
        ("redis_timeout_ms", "2000".into()),
        ("redis_connect_timeout_ms", "2000".into()),
        ("key_value_timeout_ms", "2000".into()),
        ("redis_url", format!("rediss://renttracker:{COMPONENTS}@{address}")),
        ("redis_address", format!("rediss://{address}")),
        ("database_url", database_url),
        ("cache_seal_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
    ]);
    changes
}

fn world_over(secured: Secured, database_url: &str, authorities: &std::path::Path) -> Private {
    let variables = variables(&secured, database_url);
    let changes: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Private::over_tls(secured.redis, database_url, authorities, &changes)
}

fn requests_work_over_tls_with_the_restricted_user() {
    let secured = Secured::start("127.0.0.1");
    let (_postgres, database_url) = postgres(&secured.certificates);
    let authority = secured.certificates.authority.clone();
    let mut own = world_over(secured, &database_url, &authority);
    own.redis_command::<()>(&["CONFIG", "RESETSTAT"]);

    let place = Place::of(own.tenant());
    for route in place.routes() {
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Stored, "{route}");
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Hit, "{route}");
    }
    for _ in 0..3 {
        a_full_round(&place.who);
    }
    // More pages than a list keeps.
    for page in 1..=66 {
        place.who.get(&format!("/api/properties?pageNumber={page}")).is(200);
    }
    own.administrator().post("/api/cache/verify", &json!({})).is(200);
    own.administrator().post("/api/cache/drain", &json!({})).is(200);
    assert!(place.who.delete("/api/cache?pattern=*").is(200).json()["removed"].as_u64() > Some(0));
    assert_eq!(own.administrator().get("/api/health").is(200).json()["redis"]["status"], "Connected");

    // All that was allowed was used, and nothing else: these are the test's own.
    let stats: String = own.redis_command(&["INFO", "commandstats"]);
    let own_words = ["auth", "config|resetstat"];
    let called = stats.lines().filter(|line| !line.contains(":calls=0,"));
    let called = called.filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next());
    let called: BTreeSet<String> = called.filter(|name| !own_words.contains(name)).map(str::to_owned).collect();
    // With GET the release before reads: the file goes in before this one, and stays when this one goes back.
    let mut allowed = acl::allowed();
    assert!(allowed.remove("get"));
    assert_eq!(called, allowed);
    assert_eq!(own.redis_command::<Vec<redis::Value>>(&["ACL", "LOG"]), vec![], "something was refused");
    let connections = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'own' AND pid <> pg_backend_pid()";
    let row = &own.query(connections, &[])[0];
    assert!(row.get::<_, i64>(0) > 0 && row.get::<_, i64>(1) == 0, "not all connections are over TLS: {row:?}");

    // An outage, and back.
    own.redis().kill();
    place.who.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    a_full_round(&place.who);
    assert_ne!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit);
    own.redis().restart().expect("Redis comes back");
    for route in [place.property_path(), "/api/properties".into()] {
        eventually(&format!("{route} is a hit again"), || {
            let answer = place.who.get(&route).is(200);
            assert!(answer.text().contains("new address"), "older data came back: {answer}");
            (answer.cache() == Cache::Hit).then_some(())
        });
    }
    a_full_round(&place.who);
    assert_eq!(own.redis_command::<Vec<redis::Value>>(&["ACL", "LOG"]), vec![], "something was refused");
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(!log.contains(COMPONENTS) && !log.contains("redis.refused"), "{log}");
}

fn a_server_with_an_untrusted_certificate_is_not_used() {
    let secured = Secured::start("127.0.0.1");
    let (_postgres, database_url) = postgres(&secured.certificates);
    let stranger = Certificates::new(&scratch("stranger"), "127.0.0.1");
    let own = world_over(secured, &database_url, &stranger.authority);
    assert_eq!(own.get("/api/health").is(503).json()["database"], "Disconnected");
    own.tenant().get("/api/properties").problem(503);
    let connected: String = own.redis_command(&["CLIENT", "LIST"]);
    assert!(!connected.contains("user=renttracker"), "{connected}");
    own.await_logged("ertificate");
}

fn a_certificate_for_another_name_is_not_taken() {
    let secured = Secured::start("cache.example");
    let authority = secured.certificates.authority.clone();
    let own_postgres = Certificates::new(&scratch("postgres-certificates"), "127.0.0.1");
    // Both authorities are trusted; only Redis's certificate is for another name.
    let both = scratch("authorities").with_extension("pem");
    let pem = |path: &std::path::Path| std::fs::read_to_string(path).expect("a certificate");
    std::fs::write(&both, pem(&authority) + &pem(&own_postgres.authority)).expect("written");
    let (_postgres, database_url) = postgres(&own_postgres);
    let own = world_over(secured, &database_url, &both);
    let who = own.tenant();
    let id = who.property_at("1 Main St");
    for _ in 0..3 {
        assert_eq!(who.get(&property_path(&id)).is(200).cache(), Cache::Bypass);
    }
    let connected: String = own.redis_command(&["CLIENT", "LIST"]);
    assert!(!connected.contains("user=renttracker"), "{connected}");
}
