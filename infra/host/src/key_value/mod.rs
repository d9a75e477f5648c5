//! Key-value stores: `spin:key-value` and `wasi:keyvalue`, both on the SQLite file that Spin's CLI would use.

mod spin;
mod sqlite;
mod wasi;

pub use sqlite::Database;

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::HasData;

use crate::table::Table;
use sqlite::{Cas, Store};

/// The only store that Spin's CLI gives an application without a runtime config file.
pub const DEFAULT_STORE: &str = "default";

/// The file below the state folder that Spin's CLI keeps the default store in.
pub const FILE_NAME: &str = "sqlite_key_value.db";

/// What one instance knows of its stores. Both interfaces number them from the same table, as on Spin.
pub struct KeyValueState {
    granted: Arc<BTreeSet<String>>,
    database: Arc<Database>,
    stores: Table<Arc<Store>>,
    swaps: Table<Swap>,
}

/// A compare-and-swap under way. The bucket that it was made from may be closed by now, so it has its store itself.
#[derive(Clone)]
struct Swap {
    store: Arc<Store>,
    cas: Arc<Cas>,
}

/// Why an operation on a store failed; each interface has its own names for these.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// The component was not granted the store.
    AccessDenied,
    /// The handle is not a store's.
    NoSuchStore,
    /// Anything else, as text.
    Other(String),
}

impl KeyValueState {
    /// A state without open stores. Spin sets their number no limit.
    pub fn new(granted: Arc<BTreeSet<String>>, database: Arc<Database>) -> Self {
        Self { granted, database, stores: Table::new(usize::MAX), swaps: Table::new(usize::MAX) }
    }

    /// Opens a store and returns its number.
    fn open(&mut self, label: &str) -> Result<u32, Failure> {
        if !self.granted.contains(label) {
            return Err(Failure::AccessDenied);
        }
        let store = self.database.store(label)?;
        self.stores.push(Arc::new(store)).map_err(|_| Failure::Other("store table full".into()))
    }

    fn store(&self, number: u32) -> Result<Arc<Store>, Failure> {
        self.stores.get(number).cloned().ok_or(Failure::NoSuchStore)
    }
}

/// How the linker finds the stores in an instance's state.
pub struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = &'a mut KeyValueState;
}
