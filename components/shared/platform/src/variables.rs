//! The configuration, out of the platform's variables.

use crate::sdk::experimental::wasi::config::store;
use rental::config::Config;
use rental::error::Error;
use std::collections::HashMap;

/// Reads the configuration, when an instance starts and never again: one call of the host for all variables that the component
/// is granted (`wasi:config`). The instance waits for it, also where Spin has to ask a vault.
///
/// # Errors
/// [`Error::Internal`] with the sentence that says which variable is wrong and how to mend it.
pub fn config() -> Result<Config, Error> {
    let values =
        store::get_all().map_err(|error| Error::Internal(format!("the variables cannot be read: {error:?}")))?;
    let values: HashMap<String, String> = values.into_iter().collect();
    Config::parse(|name| values.get(name).cloned()).map_err(|error| Error::Internal(error.to_string()))
}
