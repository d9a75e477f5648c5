//! Backups of a real Redis, good and bad, and what restoring each does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use stack::{Failover, Redis};

use super::backup::Backup;
use super::backups::{self, Manifest, manifest_path};
use super::restore::{Restore, Restored};
use super::server::{Address, Role};
use super::verify::{Verify, verify};
use crate::report::Report;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// 150 single entries and as many lists.
const ENTRIES: &str = "for number = 0, 149 do
  local key = 'RentTracker_t:property:' .. number
  redis.call('SET', key, 'value ' .. number, 'EX', 600)
  redis.call('HSET', key .. ':payments:list', 'p1', 'one', 'p2', 'two')
  redis.call('EXPIRE', key .. ':payments:list', 600)
end";

/// A Redis as in production with entries as the cache has them, and a folder for backups.
struct Place {
    redis: Redis,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        // A copy for a backup waits for no further replica.
        let at_once = "repl-diskless-sync-delay 0\n";
        let redis = Redis::start_as_in_production(&folder.path().join("redis"), 0, at_once).expect("Redis");
        Place { redis, folder }
    }

    fn with_entries() -> Place {
        let place = Place::new();
        place.ask(&["EVAL", ENTRIES, "0"]);
        place
    }

    fn address(&self) -> Address {
        Address::loopback(self.redis.port()).expect("an address")
    }

    fn ask(&self, words: &[&str]) -> String {
        self.address().ask(words).expect("an answer")
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn take_at(&self, now: SystemTime) -> anyhow::Result<Option<PathBuf>> {
        Backup { redis: self.address(), folder: self.backups(), keep: 7, from_master: false }
            .take(now)
            .map(|taken| taken.backup)
    }

    fn take(&self) -> PathBuf {
        self.take_at(SystemTime::now()).expect("taken").expect("something")
    }

    fn restore(&self, backup: &Path) -> anyhow::Result<Restored> {
        Restore { backup: backup.to_owned(), data: self.redis.dir().to_owned() }.run()
    }
}

/// Every file under a folder and what is in it.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// A backup of a stopped Redis, spoilt, must be refused with `reason`, and nothing may change.
#[track_caller]
fn is_refused(spoil: impl FnOnce(&Path), reason: &str) {
    let mut place = Place::with_entries();
    let backup = place.take();
    place.redis.stop();
    spoil(&backup);
    let before = contents(place.redis.dir());
    let error = format!("{:#}", place.restore(&backup).expect_err("refused"));
    assert!(error.contains("is no good backup") && error.contains(reason), "{error}");
    assert!(contents(place.redis.dir()) == before, "the data have changed");
    let verified = Verify { path: place.backups() }.run().and_then(Report::verdict);
    assert!(verified.is_err(), "verify takes it");
}

#[test]
fn a_backup_is_restored_with_every_key_and_value() {
    let mut place = Place::with_entries();
    let backup = place.take();
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(manifest_path(&backup)).expect("a manifest")).expect("JSON");
    assert_eq!((manifest.keys, manifest.entries.len()), (300, 64));
    place.ask(&["SET", "RentTracker_t:property:1", "newer", "EX", "600"]);
    place.redis.stop();
    place.restore(&backup).expect("restored");
    place.redis.restart().expect("Redis starts with it");
    assert_eq!(place.ask(&["DBSIZE"]), "300");
    assert_eq!(place.ask(&["GET", "RentTracker_t:property:1"]), "value 1");
    assert_eq!(place.ask(&["HGET", "RentTracker_t:property:149:payments:list", "p2"]), "two");
    // What was there is still there.
    let former = fs::read_dir(place.redis.dir()).expect("a folder").flatten().map(|entry| entry.file_name());
    assert!(former.into_iter().any(|name| name.to_string_lossy().starts_with("before-")));
}

#[test]
fn a_restored_redis_is_another_one() {
    let mut place = Place::with_entries();
    let backup = place.take();
    let run_id = |redis: &Redis| {
        let info = redis.info("server").expect("an answer");
        info.lines().find(|line| line.starts_with("run_id:")).expect("a run_id").to_owned()
    };
    let before = run_id(&place.redis);
    place.redis.stop();
    place.restore(&backup).expect("restored");
    place.redis.restart().expect("Redis starts with it");
    assert_ne!(run_id(&place.redis), before);
}

#[test]
fn an_empty_file_is_refused() {
    is_refused(|backup| fs::write(backup, "").expect("written"), "the file is empty");
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let cut = |backup: &Path| {
        let bytes = fs::read(backup).expect("read");
        fs::write(backup, &bytes[..bytes.len() / 2]).expect("written");
    };
    is_refused(cut, "redis-check-rdb refuses it: [offset");
}

#[test]
fn a_damaged_file_is_refused() {
    let damage = |backup: &Path| {
        let mut bytes = fs::read(backup).expect("read");
        let at = bytes.windows(8).position(|window| window == b"value 12").expect("an entry");
        bytes[at + 1] ^= 1;
        fs::write(backup, bytes).expect("written");
    };
    is_refused(damage, "RDB CRC error");
}

#[test]
fn a_backup_without_keys_is_refused() {
    let empty = |backup: &Path| {
        let place = Place::new();
        place.ask(&["SAVE"]);
        fs::copy(place.redis.dir().join("dump.rdb"), backup).expect("copied");
    };
    is_refused(empty, "there is no key in it");
}

#[test]
fn another_good_file_in_its_place_is_refused() {
    let exchange = |backup: &Path| {
        let place = Place::with_entries();
        place.ask(&["SET", "RentTracker_t:property:7", "another", "EX", "600"]);
        place.ask(&["SAVE"]);
        fs::copy(place.redis.dir().join("dump.rdb"), backup).expect("copied");
    };
    is_refused(exchange, "it is not the file that was taken");
}

#[test]
fn a_backup_without_its_manifest_is_refused() {
    is_refused(|backup| fs::remove_file(manifest_path(backup)).expect("removed"), "is missing");
}

#[test]
fn entries_that_are_other_ones_than_were_taken_are_refused() {
    let change = |backup: &Path| {
        let path = manifest_path(backup);
        let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        *manifest.entries.values_mut().next().expect("an entry") = "1".repeat(40);
        fs::write(path, serde_json::to_vec(&manifest).expect("JSON")).expect("written");
    };
    is_refused(change, "is another one than was taken");
}

#[test]
fn nothing_is_restored_under_a_running_redis() {
    let place = Place::with_entries();
    let backup = place.take();
    let error = format!("{:#}", place.restore(&backup).expect_err("refused"));
    assert!(error.contains("stop Redis first"), "{error}");
    assert_eq!(place.ask(&["DBSIZE"]), "300");
}

#[test]
fn backups_are_kept_for_seven_days_and_the_newest_for_ever() {
    let place = Place::with_entries();
    // A backup knows the second in which it was taken.
    let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
    let taken: Vec<PathBuf> =
        (0..10).map(|day| place.take_at(start + DAY * day).expect("taken").expect("something")).collect();
    assert_eq!(backups::all(&place.backups()).expect("listed"), taken[2..], "the first two are older than seven days");
    assert_eq!(backups::prune(&place.backups(), 7, start + 100 * DAY).expect("pruned"), taken[2..9]);
    verify(&taken[9]).expect("good after all that time");
}

#[test]
fn entries_that_have_run_out_since_are_still_verified() {
    let place = Place::new();
    place.ask(&["SET", "RentTracker_t:property:1", "short", "EX", "8"]);
    let backup = place.take();
    while place.ask(&["EXISTS", "RentTracker_t:property:1"]) == "1" {
        std::thread::sleep(Duration::from_millis(20));
    }
    verify(&backup).expect("good");
}

#[test]
fn a_redis_without_keys_is_not_backed_up_and_the_last_backup_stays() {
    let place = Place::with_entries();
    let backup = place.take();
    let empty = Place::new();
    let again = Backup { redis: empty.address(), folder: place.backups(), keep: 7, from_master: false };
    assert_eq!(again.take(SystemTime::now() + 30 * DAY).expect("nothing to do").backup, None);
    assert_eq!(backups::all(&place.backups()).expect("listed"), [backup]);
}

#[test]
fn a_redis_that_cannot_be_reached_leaves_no_half_a_backup() {
    let mut place = Place::with_entries();
    let backup = place.take();
    let manifest = manifest_path(&backup);
    place.redis.stop();
    assert!(place.take_at(SystemTime::now() + DAY).is_err());
    let left: Vec<PathBuf> = contents(&place.backups()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [manifest, backup]);
}

/// How often a server has given all it has to another.
fn copies(redis: &Redis) -> u32 {
    let info = redis.info("stats").expect("an answer");
    info.lines().find_map(|line| line.strip_prefix("sync_full:")?.trim().parse().ok()).expect("a count")
}

fn replica_of(master: &Redis, folder: &Path) -> Redis {
    let replica =
        Redis::start_as_in_production(folder, 0, &format!("replicaof 127.0.0.1 {}\n", master.port())).expect("Redis");
    // A master names a replica a moment after that has caught up.
    let tells = |of: &Redis, what: &str| of.info("replication").is_ok_and(|info| info.contains(what));
    wait_for("the replica has caught up, and the master names it", || {
        tells(&replica, "master_link_status:up") && tells(master, "state=online")
    });
    replica
}

#[track_caller]
fn wait_for(what: &str, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !look() {
        assert!(Instant::now() < deadline, "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_a_master_its_replica_is_copied_and_a_lone_master_itself() {
    let place = Place::with_entries();
    place.take();
    assert_eq!(copies(&place.redis), 1, "there was none but the master");
    let mut replica = replica_of(&place.redis, &place.folder.path().join("replica"));
    let given = (copies(&place.redis), copies(&replica));
    let replid = |info: String| info.lines().find(|line| line.starts_with("master_replid:")).map(str::to_owned);
    let history = replid(place.redis.info("replication").expect("an answer"));
    let backup = place.take_at(SystemTime::now() + DAY).expect("taken").expect("something");
    assert_eq!((copies(&place.redis), copies(&replica)), (given.0, given.1 + 1), "the replica was not the one copied");
    assert_eq!(replid(place.redis.info("replication").expect("an answer")), history);
    verify(&backup).expect("good");

    // By its own address, and as a master that is copied by choice.
    let folder = place.folder.path().join("others");
    let address = Address::loopback(replica.port()).expect("an address");
    let of = |redis: Address, from_master| Backup { redis, folder: folder.clone(), keep: 7, from_master };
    of(address.clone(), false).take(SystemTime::now()).expect("taken").backup.expect("something");
    of(place.address(), true).take(SystemTime::now() + DAY).expect("taken").backup.expect("something");
    assert_eq!((copies(&place.redis), copies(&replica)), (given.0 + 1, given.1 + 2));

    // Without its master it says of nothing when that was so.
    let mut place = place;
    place.redis.stop();
    // Nothing but what it is can then be asked of it.
    let caught_up = Role::Replica("connected".into());
    wait_for("the replica has noticed", || address.role().is_ok_and(|role| role != caught_up));
    let error = format!("{:#}", of(address, false).take(SystemTime::now() + 2 * DAY).expect_err("refused"));
    assert!(error.contains("this replica has not caught up with its master"), "{error}");
    replica.stop();
}

/// `redis-cli --rdb` is a replica that listens on port 0, and Sentinel forgets none (`SENTINEL RESET` apart).
#[test]
fn no_sentinel_keeps_a_backup_in_mind_as_a_replica() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut failover = Failover::start(&folder.path().join("redis")).expect("the servers start");
    let address = Address::loopback(failover.port()).expect("an address");
    address.ask(&["EVAL", ENTRIES, "0"]).expect("entries");
    let backup = Backup { redis: address, folder: folder.path().join("backups"), keep: 7, from_master: false };
    backup.take(SystemTime::now()).expect("taken").backup.expect("something");
    assert_eq!((copies(failover.redis(0)), copies(failover.redis(1))), (1, 1), "the master's one is its replica's");
    let expected = vec![vec![format!("127.0.0.1:{}", failover.redis(1).port())]; 3];
    assert_eq!(failover.replicas_in_mind().expect("answers"), expected);

    failover.redis(1).stop();
    wait_for("the master has noticed", || {
        failover.redis(0).info("replication").is_ok_and(|info| info.contains("connected_slaves:0"))
    });
    let error = format!("{:#}", backup.take(SystemTime::now() + DAY).expect_err("refused"));
    assert!(error.contains("a Sentinel watches this master, and it names no replica"), "{error}");
    assert_eq!(copies(failover.redis(0)), 1, "it was copied all the same");
}

/// The header of Redis 8.2.3 is `REDIS0012`, of which `redis-check-rdb` 7.0.15 says the same.
#[test]
fn a_copy_of_a_newer_server_is_refused_with_the_reason_of_the_tool() {
    let newer = |backup: &Path| {
        let mut bytes = fs::read(backup).expect("read");
        assert!(bytes.starts_with(b"REDIS00"));
        bytes[..9].copy_from_slice(b"REDIS9999");
        fs::write(backup, bytes).expect("written");
    };
    is_refused(newer, "redis-check-rdb refuses it: [offset 9] Can't handle RDB format version 9999; the tools");
}
