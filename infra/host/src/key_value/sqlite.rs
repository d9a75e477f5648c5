//! The stores in SQLite: Spin's table in Spin's file, so that Spin and this host can use the same file in turn.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};

use super::Failure;
use crate::limits::MAX_BUFFERED_BYTES;

/// How long an operation waits while another process writes. Several hosts may share the file: a test runs many.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many keys a listing may be ahead of the component that reads it. Spin's number.
const KEYS_AHEAD: usize = 4;

const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                   ON CONFLICT (store, key) DO UPDATE SET value = ?3";
const KEYS: &str = "SELECT key FROM spin_key_value WHERE store = ?1";

/// The file, opened when a store is first asked for.
pub struct Database {
    path: PathBuf,
    connection: Mutex<Option<Arc<Mutex<Connection>>>>,
}

impl Database {
    /// A database at `path`. Its folder is made too.
    pub fn new(path: PathBuf) -> Self {
        Self { path, connection: Mutex::new(None) }
    }

    /// The store with this label.
    pub fn store(&self, label: &str) -> Result<Store, Failure> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_none() {
            *connection = Some(Arc::new(Mutex::new(blocking(|| self.connect())?)));
        }
        let connection = connection.clone().ok_or_else(|| Failure::Other("the database is not open".into()))?;
        Ok(Store { label: label.to_owned(), connection })
    }

    fn connect(&self) -> Result<Connection, Failure> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let connection = Connection::open(&self.path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        connection
            .execute(
                "CREATE TABLE IF NOT EXISTS spin_key_value (
                     store TEXT NOT NULL,
                     key   TEXT NOT NULL,
                     value BLOB NOT NULL,
                     PRIMARY KEY (store, key)
                 )",
                [],
            )
            .map_err(failed)?;
        // Gives `rarray`, for a list of keys in one statement.
        rusqlite::vtab::array::load_module(&connection).map_err(failed)?;
        Ok(connection)
    }
}

/// A key and the value under it.
pub type Pair = (String, Option<Vec<u8>>);

/// One store. SQLite blocks, so every operation announces that to the runtime.
pub struct Store {
    label: String,
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        blocking(|| work(&mut self.connection.lock().unwrap_or_else(PoisonError::into_inner)).map_err(failed))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let read = |db: &Connection| -> rusqlite::Result<Option<Vec<u8>>> {
            db.prepare_cached(GET)?.query_row(params![self.label, key], |row| row.get(0)).optional()
        };
        let value = match self.at_once(read) {
            Some(value) => value.map_err(failed)?,
            None => self.with(|db| read(db))?,
        };
        check_size(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    /// Does `work` without announcing it to the runtime, unless it would have to wait for another thread or process: to move this
    /// thread's other tasks away takes longer than a read that need not wait.
    fn at_once<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<rusqlite::Result<T>> {
        let db = self.connection.try_lock().ok()?;
        let done = db.busy_timeout(Duration::ZERO).and_then(|()| work(&db));
        let again = db.busy_timeout(BUSY_TIMEOUT);
        match done.and_then(|value| again.map(|()| value)) {
            Err(error) if is_busy(&error) => None,
            done => Some(done),
        }
    }

    /// Puts `value` under `key`, whatever was there.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Failure> {
        self.with(|db| db.prepare_cached(SET)?.execute(params![self.label, key, value]).map(drop))
    }

    /// Removes what is under `key`, if anything.
    pub fn delete(&self, key: &str) -> Result<(), Failure> {
        const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";
        self.with(|db| db.prepare_cached(DELETE)?.execute(params![self.label, key]).map(drop))
    }

    /// All keys.
    pub fn keys(&self) -> Result<Vec<String>, Failure> {
        let keys: Vec<String> =
            self.with(|db| db.prepare_cached(KEYS)?.query_map([&self.label], |row| row.get(0))?.collect())?;
        check_size(keys.iter().map(|key| size_of::<String>() + key.len()).sum())?;
        Ok(keys)
    }

    /// All keys as a stream, and how it ended.
    pub fn stream_keys(&self) -> (mpsc::Receiver<String>, oneshot::Receiver<Result<(), Failure>>) {
        let (keys_tx, keys) = mpsc::channel(KEYS_AHEAD);
        let (end_tx, end) = oneshot::channel();
        let (connection, label) = (self.connection.clone(), self.label.clone());
        // The connection is held until the last key is read: Spin's behaviour.
        tokio::task::spawn_blocking(move || {
            let send = || -> Result<(), Failure> {
                let db = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let mut statement = db.prepare_cached(KEYS).map_err(failed)?;
                let mut rows = statement.query([&label]).map_err(failed)?;
                while let Some(row) = rows.next().map_err(failed)? {
                    let key: String = row.get(0).map_err(failed)?;
                    check_size(key.len())?;
                    keys_tx.blocking_send(key).map_err(failed)?;
                }
                Ok(())
            };
            // The component may be gone by now.
            let _ = end_tx.send(send());
        });
        (keys, end)
    }

    /// The values under those of `keys` that are there; the others are left out.
    pub fn get_many(&self, keys: Vec<String>) -> Result<Vec<Pair>, Failure> {
        const GET_MANY: &str = "SELECT key, value FROM spin_key_value WHERE store = ?1 AND key IN rarray(?2)";
        let values: Vec<Pair> = self.with(|db| {
            let mut statement = db.prepare_cached(GET_MANY)?;
            let rows = statement.query_map(params![self.label, array(keys)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        let size = |(key, value): &Pair| key.len() + value.as_ref().map_or(0, Vec::len);
        check_size(values.iter().map(size).sum())?;
        Ok(values)
    }

    /// Puts all pairs, or none.
    pub fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
        self.with(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (key, value) in pairs {
                transaction.prepare_cached(SET)?.execute(params![self.label, key, value])?;
            }
            transaction.commit()
        })
    }

    /// Removes what is under `keys`.
    pub fn delete_many(&self, keys: Vec<String>) -> Result<(), Failure> {
        const DELETE_MANY: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key IN rarray(?2)";
        self.with(|db| db.prepare_cached(DELETE_MANY)?.execute(params![self.label, array(keys)]).map(drop))
    }

    /// Adds to the number under `key`, eight bytes with the lowest first; what is not there is 0.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Failure> {
        // Immediate: two processes that read first and then both want to write would end one of them with SQLITE_BUSY.
        let sum = self.with(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old: Option<Vec<u8>> =
                transaction.prepare_cached(GET)?.query_row(params![self.label, key], |row| row.get(0)).optional()?;
            let number = old.map_or(Ok(0), |bytes| bytes.try_into().map(i64::from_le_bytes));
            let Ok(sum) = number.map(|number| number.wrapping_add(delta)) else { return Ok(None) };
            transaction.prepare_cached(SET)?.execute(params![self.label, key, sum.to_le_bytes()])?;
            transaction.commit()?;
            Ok(Some(sum))
        })?;
        // Spin panics here, and with it every later use of its stores; an error is what it means.
        sum.ok_or_else(|| Failure::Other(format!("the value of {key:?} is not a number of eight bytes")))
    }
}

/// A compare-and-swap: it succeeds if the value is still what `current` last saw.
pub struct Cas {
    key: String,
    seen: Mutex<Option<Vec<u8>>>,
}

impl Cas {
    /// A swap on `key` that has seen nothing yet.
    pub fn new(key: String) -> Self {
        Self { key, seen: Mutex::new(None) }
    }

    /// The key that it swaps.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads the value and remembers it.
    pub fn current(&self, store: &Store) -> Result<Option<Vec<u8>>, Failure> {
        let value = store.get(&self.key)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&value);
        Ok(value)
    }

    /// Puts `value` in place of what was seen, and says whether that was still there.
    ///
    /// **When nothing was seen it always succeeds**, also over a value that is there by now: Spin's behaviour. Create the
    /// key first.
    pub fn swap(&self, store: &Store, value: &[u8]) -> Result<bool, Failure> {
        const REPLACE: &str = "UPDATE spin_key_value SET value = ?1 WHERE store = ?2 AND key = ?3 AND value = ?4";
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let changed = store.with(|db| match seen {
            Some(seen) => db.prepare_cached(REPLACE)?.execute(params![value, store.label, self.key, seen]),
            None => db.prepare_cached(SET)?.execute(params![store.label, self.key, value]),
        })?;
        Ok(changed == 1)
    }
}

/// Whether another process has the file locked.
fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Moves the other tasks of this thread to another one while SQLite works.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn array(keys: Vec<String>) -> Rc<Vec<rusqlite::types::Value>> {
    Rc::new(keys.into_iter().map(rusqlite::types::Value::from).collect())
}

fn failed(error: impl std::fmt::Debug) -> Failure {
    tracing::warn!("key-value error: {error:?}");
    Failure::Other(format!("{error:?}"))
}

fn check_size(bytes: usize) -> Result<(), Failure> {
    if bytes > MAX_BUFFERED_BYTES {
        return Err(Failure::Other(format!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Database::new(folder.path().join("state").join("kv.db")).store("default").unwrap();
        (folder, store)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_increment_is_eight_bytes_with_the_lowest_first() {
        let (_folder, store) = store();
        assert_eq!(store.increment("n", 258).unwrap(), 258);
        assert_eq!(store.get("n").unwrap().unwrap(), [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(store.increment("n", -300).unwrap(), -42);
        store.set("n", b"text").unwrap();
        assert!(matches!(store.increment("n", 1), Err(Failure::Other(_))));
        assert_eq!(store.get("n").unwrap().unwrap(), b"text", "a failed increment changes nothing");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_swap_fails_once_the_value_has_changed_and_upserts_when_nothing_was_seen() {
        let (_folder, store) = store();
        let (first, second) = (Cas::new("k".into()), Cas::new("k".into()));
        assert_eq!(first.current(&store).unwrap(), None);
        assert!(first.swap(&store, b"1").unwrap());
        assert!(first.swap(&store, b"2").unwrap(), "nothing was seen, so it overwrites");
        assert_eq!(second.current(&store).unwrap().unwrap(), b"2");
        store.set("k", b"3").unwrap();
        assert!(!second.swap(&store, b"4").unwrap());
        assert_eq!(store.get("k").unwrap().unwrap(), b"3");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_keys_at_once_and_only_those_that_are_there() {
        let (_folder, store) = store();
        store.set_many(vec![("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec()), ("c".into(), vec![])]).unwrap();
        let mut found = store.get_many(vec!["a".into(), "c".into(), "nope".into()]).unwrap();
        found.sort();
        assert_eq!(found, [("a".into(), Some(b"1".to_vec())), ("c".into(), Some(vec![]))]);
        store.delete_many(vec!["a".into(), "b".into()]).unwrap();
        assert_eq!(store.keys().unwrap(), ["c"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stores_keys_are_not_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("kv.db"));
        database.store("one").unwrap().set("k", b"1").unwrap();
        assert_eq!(database.store("two").unwrap().get("k").unwrap(), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_read_waits_for_another_process_that_has_the_file_locked() {
        let (folder, store) = store();
        store.set("k", b"before").unwrap();
        let other = Connection::open(folder.path().join("state").join("kv.db")).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE; UPDATE spin_key_value SET value = CAST('after' AS BLOB)").unwrap();
        assert!(store.at_once(|db| db.query_row("SELECT count(*) FROM spin_key_value", [], |_| Ok(()))).is_none());
        let reading = tokio::spawn(async move { store.get("k") });
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(reading.await.unwrap().unwrap().unwrap(), b"after");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn two_databases_on_one_file_lose_no_increment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.db");
        let count = |path: PathBuf| {
            tokio::spawn(async move {
                let store = Database::new(path).store("default").unwrap();
                (0..20).for_each(|_| assert!(store.increment("n", 1).is_ok()));
            })
        };
        let (first, second) = (count(path.clone()), count(path.clone()));
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(Database::new(path).store("default").unwrap().increment("n", 0).unwrap(), 40);
    }
}
