//! Where the breaker's record is: in the key-value store, or in PostgreSQL for the trials that say so. `RENTTRACKER_BREAKER_STORE`
//! says it for a whole run.

use std::cell::Cell;
use std::collections::BTreeMap;

thread_local! {
    static IS_IN_THE_DATABASE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a trial with the record in PostgreSQL: for every host that it starts.
pub fn in_the_database(trial: fn()) {
    /// Trials share threads, and go on after one that panics.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            IS_IN_THE_DATABASE.set(false);
        }
    }
    let _reset = Reset;
    IS_IN_THE_DATABASE.set(true);
    trial();
}

/// Sets the variable, where this trial or this run says another store than the default.
pub fn choose(variables: &mut BTreeMap<String, String>) {
    let store = match IS_IN_THE_DATABASE.get() {
        true => Some("database".to_owned()),
        false => std::env::var("RENTTRACKER_BREAKER_STORE").ok(),
    };
    if let Some(store) = store {
        // A new host's first statement opens its connection: a machine that is busy with other trials takes longer than 100 ms.
        variables.entry("key_value_timeout_ms".into()).or_insert_with(|| "1000".into());
        variables.insert("breaker_store".into(), store);
    }
}
