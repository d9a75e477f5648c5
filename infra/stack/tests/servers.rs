//! Real servers: they start, answer, survive what tests do to them, and leave nothing behind.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use stack::{Postgres, Redis, Region};

/// One inline command, and what comes back within ten seconds: a disk may be busy.
fn ask(redis: &Redis, command: &str) -> std::io::Result<String> {
    ask_within(Duration::from_secs(10), redis, command)
}

fn ask_within(patience: Duration, redis: &Redis, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port()))?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The processes whose command line or environment names `dir`: everything that a server there has started.
fn processes_in(dir: &Path) -> Vec<String> {
    let wanted = dir.to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|process| {
            let cwd = std::fs::read_link(process.join("cwd")).unwrap_or_default();
            let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
            cwd.starts_with(dir) || String::from_utf8_lossy(&line).contains(&wanted)
        })
        .map(|process| process.display().to_string())
        .collect()
}

/// The kernel ends orphans a moment after their parent.
fn assert_gone(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes_in(dir).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_in(dir));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn redis_answers_keeps_nothing_on_disk_and_ends_when_dropped() {
    let dir = tempfile::tempdir().expect("a folder");
    let redis = Redis::start(dir.path()).expect("Redis");
    let pid = redis.pid();
    assert!(ask(&redis, "SET k v").expect("answer").starts_with("+OK"));
    assert!(ask(&redis, "CONFIG GET save").expect("answer").contains("$4\r\nsave\r\n$0"));
    assert!(ask(&redis, "CONFIG GET bind").expect("answer").contains("127.0.0.1"));
    drop(redis);
    assert!(!runs(pid));
    assert_gone(dir.path());
    assert!(!dir.path().join("dump.rdb").exists());
}

#[test]
fn two_redis_servers_never_share_a_port() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = Redis::start(&dir.path().join("one")).expect("Redis");
    let two = Redis::start(&dir.path().join("two")).expect("Redis");
    assert_ne!(one.url(), two.url());
    let clash = Redis::start_on(&dir.path().join("three"), one.port());
    let error = format!("{:#}", clash.err().expect("refused: the port is taken"));
    assert!(error.contains("Address already in use"), "{error}");
}

#[test]
fn a_paused_redis_is_silent_and_answers_again_when_resumed() {
    let dir = tempfile::tempdir().expect("a folder");
    let redis = Redis::start(dir.path()).expect("Redis");
    redis.pause();
    assert!(ask_within(Duration::from_millis(500), &redis, "PING").is_err());
    redis.resume();
    assert!(ask(&redis, "PING").expect("answer").starts_with("+PONG"));
    redis.pause();
    let (pid, begun) = (redis.pid(), Instant::now());
    drop(redis);
    assert!(!runs(pid), "a paused server is stopped too");
    assert!(begun.elapsed() < Duration::from_secs(4), "and at once, not when the patience is over");
}

#[test]
fn a_killed_redis_comes_back_empty_on_its_port() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut redis = Redis::start(dir.path()).expect("Redis");
    let (port, pid) = (redis.port(), redis.pid());
    ask(&redis, "SET k v").expect("answer");
    redis.kill();
    assert!(!runs(pid) && !redis.is_running());
    assert!(ask(&redis, "PING").is_err());
    redis.restart().expect("Redis");
    assert_eq!(redis.port(), port);
    assert!(ask(&redis, "GET k").expect("answer").starts_with("$-1"));
}

#[test]
fn options_of_the_caller_win_so_that_data_can_be_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut redis =
        Redis::start_with(dir.path(), 0, &["--appendonly", "yes", "--appendfsync", "always"]).expect("Redis");
    ask(&redis, "SET k v").expect("answer");
    redis.kill();
    redis.restart().expect("Redis");
    assert!(ask(&redis, "GET k").expect("answer").contains("\r\nv\r\n"));
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_owned();
    let mut redis = std::thread::spawn(move || Redis::start(&path)).join().expect("joined").expect("Redis");
    std::thread::sleep(Duration::from_millis(200));
    assert!(redis.is_running());
    assert!(ask(&redis, "PING").expect("answer").starts_with("+PONG"));
}

#[test]
fn postgres_answers_counts_statements_and_keeps_its_data() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Postgres::start_for_tests(dir.path()).expect("PostgreSQL");
    server.create_database("Odd \"name").expect("a database");
    assert!(server.create_database("Odd \"name").is_err(), "there is one already");
    server.create_database("plain").expect("a database");
    assert!(!server.ensure_database("plain").expect("asked"));
    let mut client = Client::connect(&server.url("plain"), NoTls).expect("connected");
    client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").expect("written");
    for _ in 0..3 {
        client.query("SELECT n FROM t WHERE n = $1", &[&1_i32]).expect("read");
    }
    let calls: i64 = client
        .query_one("SELECT sum(calls)::bigint FROM pg_stat_statements WHERE query LIKE 'SELECT n FROM t%'", &[])
        .expect("counted")
        .get(0);
    assert_eq!(calls, 3);
    let url = server.url("plain");
    server.restart().expect("PostgreSQL");
    assert_eq!(server.url("plain"), url);
    let mut client = Client::connect(&url, NoTls).expect("connected");
    assert_eq!(client.query("SELECT n FROM t", &[]).expect("read").len(), 1);
    drop(client);
    let home = server.data_dir().to_owned();
    drop(server);
    assert_gone(&home);
}

#[test]
fn postgres_asks_for_its_password_and_listens_on_loopback_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Postgres::start_for_tests(dir.path()).expect("PostgreSQL");
    let wrong = format!("postgres://postgres:wrong@127.0.0.1:{}/postgres", server.port());
    assert!(Client::connect(&wrong, NoTls).is_err());
    let mut client = Client::connect(&server.url("postgres"), NoTls).expect("connected");
    let listens: String = client.query_one("SHOW listen_addresses", &[]).expect("shown").get(0);
    assert_eq!(listens, "127.0.0.1");
}

#[test]
fn a_paused_postgres_is_silent_also_on_open_connections() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Postgres::start_for_tests(dir.path()).expect("PostgreSQL");
    let mut client = Client::connect(&server.url("postgres"), NoTls).expect("connected");
    server.pause();
    let (answered, answer) = std::sync::mpsc::channel();
    let asking = std::thread::spawn(move || {
        let rows = client.query("SELECT 1", &[]).map(|rows| rows.len());
        let _ = answered.send(());
        rows
    });
    assert!(answer.recv_timeout(Duration::from_millis(500)).is_err(), "it answered although it is stopped");
    server.resume();
    answer.recv_timeout(Duration::from_secs(10)).expect("answered after it was resumed");
    assert_eq!(asking.join().expect("joined").expect("answered"), 1);
}

#[test]
fn a_killed_postgres_leaves_no_process_and_keeps_what_was_committed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Postgres::start(dir.path()).expect("PostgreSQL");
    let mut client = Client::connect(&server.url("postgres"), NoTls).expect("connected");
    client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").expect("written");
    let home = server.data_dir().to_owned();
    server.kill();
    assert_gone(&home);
    assert!(client.query("SELECT 1", &[]).is_err());
    drop(server);
    let server = Postgres::start(dir.path()).expect("PostgreSQL recovers");
    let mut client = Client::connect(&server.url("postgres"), NoTls).expect("the password is still the same");
    assert_eq!(client.query_one("SELECT n FROM t", &[]).expect("read").get::<_, i32>(0), 7);
}

#[test]
fn a_folder_that_the_server_cannot_reach_is_replaced_by_one_that_it_can() {
    let dir = tempfile::tempdir().expect("a folder");
    // As /root is: as root we are not the user that the server runs as.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).expect("narrowed");
    let inside = dir.path().join("postgres");
    let server = Postgres::start_for_tests(&inside).expect("PostgreSQL");
    let home = server.data_dir().to_owned();
    Client::connect(&server.url("postgres"), NoTls).expect("connected");
    drop(server);
    if nix::unistd::geteuid().is_root() {
        assert!(home.starts_with("/var/tmp"), "{}", home.display());
        assert!(!home.exists(), "what a test made outside its own folder is removed");
    } else {
        assert_eq!(home, inside.canonicalize().expect("there"));
    }
}

#[test]
fn migrations_run_in_order_once_each_and_a_failing_one_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Postgres::start_for_tests(&dir.path().join("pg")).expect("PostgreSQL");
    server.create_database("app").expect("a database");
    let (url, folder) = (server.url("app"), dir.path().join("migrations"));
    std::fs::create_dir(&folder).expect("a folder");
    let write = |name: &str, sql: &str| std::fs::write(folder.join(name), sql).expect("written");
    write("0002_b.sql", "INSERT INTO t SELECT max(n) + 1 FROM t;");
    write("0001_a.sql", "CREATE TABLE t (n int);\nINSERT INTO t VALUES (1);");
    write("notes.txt", "no SQL");
    assert_eq!(stack::migrate_from(&url, &folder).expect("applied"), ["0001_a.sql", "0002_b.sql"]);
    assert!(stack::migrate_from(&url, &folder).expect("nothing to do").is_empty());

    write("0003_c.sql", "INSERT INTO t VALUES (9);\nINSERT INTO nowhere VALUES (1);");
    let error = format!("{:#}", stack::migrate_from(&url, &folder).expect_err("refused"));
    assert!(error.contains("0003_c.sql") && error.contains("nowhere") && error.contains("line 2"), "{error}");
    let mut client = Client::connect(&url, NoTls).expect("connected");
    let count = |client: &mut Client| client.query_one("SELECT count(*) FROM t", &[]).expect("read").get::<_, i64>(0);
    assert_eq!(count(&mut client), 2, "the failed migration was rolled back");

    write("0003_c.sql", "INSERT INTO t VALUES (3);");
    assert_eq!(stack::migrate_from(&url, &folder).expect("applied"), ["0003_c.sql"]);
    write("0001_a.sql", "CREATE TABLE t (n bigint);");
    let error = format!("{:#}", stack::migrate_from(&url, &folder).expect_err("refused"));
    assert!(error.contains("0001_a.sql was changed"), "{error}");
    assert_eq!(count(&mut client), 3);
}

#[test]
fn migrations_started_together_are_applied_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Postgres::start_for_tests(&dir.path().join("pg")).expect("PostgreSQL");
    server.create_database("app").expect("a database");
    let folder = dir.path().join("migrations");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("0001.sql"), "SELECT pg_sleep(0.3); CREATE TABLE t (n int);").expect("written");
    let applied: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| stack::migrate_from(&server.url("app"), &folder).expect("ran").len()))
            .collect();
        runs.into_iter().map(|run| run.join().expect("joined")).sum()
    });
    assert_eq!(applied, 1);
}

/// Roles belong to the server and migrations to a database: those of several databases meet in the role.
#[test]
fn databases_of_one_server_that_are_migrated_together_share_the_components_role() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Postgres::start_for_tests(&dir.path().join("pg")).expect("PostgreSQL");
    let names = ["one", "two", "three", "four"];
    names.iter().for_each(|name| server.create_database(name).expect("a database"));
    std::thread::scope(|scope| {
        for name in names {
            let url = server.url(name);
            scope.spawn(move || stack::migrate(&url).expect("migrated"));
        }
    });
    stack::ensure_login(&server.url("four"), "a password").expect("a role");
    stack::ensure_login(&server.url("one"), "another password").expect("a role");
    for name in names {
        let login = |password| Client::connect(&stack::login_url(&server.url(name), password).expect("a URL"), NoTls);
        assert!(login("a password").is_err(), "the password was changed");
        let mut client = login("another password").expect("connected");
        let bound = client.query_one("SELECT row_level_security_holds()", &[]).expect("asked");
        assert!(bound.get::<_, bool>(0), "{name}");
        assert!(client.execute("CREATE TABLE mine (n int)", &[]).is_err(), "{name}");
    }
}

/// Not a test of its own: the victim of the next one, run in a process that can be killed.
#[test]
#[ignore = "run by servers_end_when_their_owner_is_killed"]
fn hold_servers_until_killed() {
    let Some(dir) = std::env::var_os("STACK_TEST_DIR") else {
        return;
    };
    let dir = Path::new(&dir);
    let redis = Redis::start(&dir.join("redis")).expect("Redis");
    let server = Postgres::start_for_tests(&dir.join("pg")).expect("PostgreSQL");
    redis.pause();
    server.pause();
    std::fs::write(dir.join("home"), server.data_dir().as_os_str().as_encoded_bytes()).expect("written");
    std::fs::write(dir.join("ready"), "").expect("written");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn servers_end_when_their_owner_is_killed_even_paused_ones() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "hold_servers_until_killed"])
        .env("STACK_TEST_DIR", dir.path())
        .spawn()
        .expect("started");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !dir.path().join("ready").exists() {
        assert!(Instant::now() < deadline && owner.try_wait().expect("asked").is_none(), "the servers did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let home = std::fs::read_to_string(dir.path().join("home")).expect("read");
    assert!(!processes_in(Path::new(&home)).is_empty(), "there is something to end");
    owner.kill().expect("killed");
    owner.wait().expect("waited");
    assert_gone(&dir.path().join("redis"));
    assert_gone(Path::new(&home));
    // Its place may lie outside the folder of this test, and its owner had no time to remove it.
    let _ = std::fs::remove_dir_all(home);
}

#[test]
fn a_standby_has_what_its_primary_commits_and_takes_no_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
    let primary = Postgres::start_for_tests(&dir.path().join("primary")).expect("PostgreSQL");
    primary.create_database("db").expect("a database");
    let region = Region::start("near", dir.path(), &primary, primary.port()).expect("a region");
    let session = |url: &str| Client::connect(url, NoTls).expect("a session");
    session(&primary.url("db")).batch_execute("CREATE TABLE t AS SELECT 7 AS n").expect("a table");
    let mut standby = session(&region.standby.url("db"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while standby.query("SELECT n FROM t", &[]).is_err() {
        assert!(Instant::now() < deadline, "the table does not arrive");
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = standby.batch_execute("DELETE FROM t").expect_err("refused");
    assert!(error.to_string().contains("db error"), "{error}");
    let variables = region.variables("postgres://u:p@127.0.0.1:1/db", "key").expect("variables");
    let read_url = format!("postgres://u:p@127.0.0.1:{}/db", region.standby.port());
    assert!(variables.contains(&("database_read_url".into(), read_url)), "{variables:?}");
    drop((standby, region, primary));
    assert_gone(dir.path());
}
