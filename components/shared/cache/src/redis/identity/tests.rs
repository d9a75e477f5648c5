use super::*;

/// Lines of INFO as a server ends them.
fn info(lines: &[&str]) -> Vec<Reply> {
    vec![Reply::Bytes(lines.join("\r\n").into_bytes())]
}

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// A master with this history, as Redis 7 and later tell it.
fn master(run_id: &str, id: &str, before: &str, received: u64) -> Identity {
    let lines = [
        "# Server",
        "redis_mode:standalone",
        &format!("run_id:{run_id}"),
        "# Stats",
        &format!("total_net_repl_input_bytes:{received}"),
        "# Replication",
        "role:master",
        &format!("master_replid:{id}"),
        &format!("master_replid2:{before}"),
        "second_repl_offset:-1",
        "# Cluster",
        "cluster_enabled:0",
    ];
    Identity::of(&info(&lines), false).expect("a master")
}

fn is_same(known: &Identity, seen: &Identity) -> bool {
    is_same_redis(&known.to_string(), &seen.to_string())
}

/// What Redis 6.2.14, 7.0.15, 8.2.3 and Valkey 9.1.2 do alike: `redis-cli --rdb`, the first replica, the backlog let go, and
/// `DEBUG CHANGE-REPL-ID`.
#[test]
fn a_new_replication_id_of_the_same_process_and_data_is_the_same_redis() {
    let fresh = master("1e", "a", ZEROS, 0);
    let copied = master("1e", "b", ZEROS, 0);
    assert!(is_same(&fresh, &copied) && is_same(&copied, &fresh) && is_same(&fresh, &fresh));
    // A master that was a replica once, and has let go of its backlog since.
    let promoted = master("1e", "c", "b", 269);
    assert!(is_same(&promoted, &master("1e", "d", ZEROS, 269)));
    // Statistics that begin again do not make another Redis of it.
    assert!(is_same(&promoted, &master("1e", "c", "b", 0)));
}

#[test]
fn a_promotion_or_another_process_is_another_redis() {
    let fresh = master("1e", "a", ZEROS, 0);
    let copied = master("1e", "b", ZEROS, 0);
    let promoted = master("1e", "c", "9", 269);
    for other in [
        master("2e", "a", ZEROS, 0),
        promoted.clone(),
        // A version that does not count what it received, or received nothing beyond what it had.
        master("1e", "c", "9", 0),
        // The history of before the promotion is forgotten, what was received is not.
        master("1e", "d", ZEROS, 269),
        master("1e", "f", "a", 14),
    ] {
        assert!(!is_same(&fresh, &other) && !is_same(&copied, &other), "{other}");
    }
    // Promoted, a spell as a replica, and promoted again.
    assert!(!is_same(&promoted, &master("1e", "e", "d", 269)));
    assert!(!is_same(&promoted, &master("1e", "e", ZEROS, 600)));
    // A connection from before the spell is looked at anew.
    assert!(!is_same(&promoted, &fresh));
}

#[test]
fn identities_of_earlier_versions_and_of_rest_are_compared_as_texts() {
    assert!(is_same_redis("1e/a", &master("1e", "a", ZEROS, 0).to_string()));
    assert!(is_same_redis("1e/a", &master("1e", "b", ZEROS, 0).to_string()));
    assert!(is_same_redis("1e/a", &master("1e", "a", "9", 3).to_string()));
    assert!(!is_same_redis("database/a", "database/b"));
    assert!(is_same_redis("database/a", "database/a"));
    assert!(!is_same_redis("r1", "r2") && is_same_redis("r1", "r1"));
    assert!(!is_same_redis("1e", "1e/a") && !is_same_redis("1e/a", "1e") && !is_same_redis("", "1e/a"));
    let without = Identity::of(&info(&["role:master", "run_id:1e"]), false).expect("a master");
    assert_eq!(without.to_string(), "1e");
}

#[test]
fn an_identity_is_read_back_as_it_was_written() {
    for identity in [master("1e", "a", ZEROS, 0), master("1e", "a", ZEROS, 7), master("1e", "a", "9", 0)] {
        assert_eq!(Identity::parse(&identity.to_string()), Some(identity));
    }
    assert_eq!(Identity::parse("1e/a//x"), None);
    assert_eq!(Identity::parse("1e/a//1/2"), None);
}

#[test]
fn beside_other_keys_the_same_process_is_another_redis() {
    let lines = ["redis_mode:cluster", "cluster_enabled:1", "role:master", "run_id:1e", "master_replid:a"];
    let tagged = Identity::of(&info(&lines), true).expect("a master");
    assert!(!is_same(&tagged, &master("1e", "a", ZEROS, 0)) && !is_same(&master("1e", "a", ZEROS, 0), &tagged));
    assert_eq!(Identity::parse(&tagged.to_string()).as_ref(), Some(&tagged));
    let copied = Identity::of(&info(&[&lines[..4], &["master_replid:b"]].concat()), true).expect("a master");
    assert!(is_same(&tagged, &copied));
}

fn unfit(lines: &[&str]) -> Unfit {
    match Identity::of(&info(lines), false) {
        Err(RedisFailure::Unfit(unfit)) => unfit,
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[test]
fn a_server_that_cannot_hold_the_cache_is_recognised_by_its_info() {
    assert_eq!(unfit(&["redis_mode:cluster", "run_id:1e", "role:master"]), Unfit::Cluster);
    // Valkey 9.1.2 says no `redis_mode`, unless it is told to (`extended-redis-compatibility`).
    assert_eq!(unfit(&["server_mode:cluster", "run_id:1e", "role:master"]), Unfit::Cluster);
    assert_eq!(unfit(&["run_id:1e", "role:master", "cluster_enabled:1"]), Unfit::Cluster);
    assert_eq!(unfit(&["redis_mode:sentinel", "run_id:1e"]), Unfit::Sentinel);
    assert_eq!(unfit(&["redis_mode:standalone", "run_id:1e", "role:slave", "master_link_status:up"]), Unfit::Replica);
    assert_eq!(unfit(&["redis_mode:standalone", "run_id:1e", "role:active-replica"]), Unfit::ActiveReplica);
    assert_eq!(unfit(&["redis_mode:standalone", "run_id:1e", "role:leader"]), Unfit::NoMaster);
}

#[test]
fn a_server_without_an_identity_is_refused() {
    for lines in [&["role:master"][..], &["run_id:1e"], &["role:master", "run_id:"], &[]] {
        assert!(matches!(Identity::of(&info(lines), false), Err(RedisFailure::Refused(_))), "{lines:?}");
    }
}

#[test]
fn a_url_that_asks_for_resp3_is_told() {
    for url in ["redis://h/?protocol=resp3", "rediss://u:p@h:1/2?a=b&protocol=3", "redis://h/?pro%74ocol=resp3#x"] {
        assert!(asks_for_resp3(url), "{url}");
    }
    for url in [
        "redis://h",
        "redis://h/?protocol=2",
        "redis://h/?protocol=resp2",
        "redis://h/?a=protocol=3",
        "redis://h/#?protocol=3",
    ] {
        assert!(!asks_for_resp3(url), "{url}");
    }
}
