//! The configuration, out of the platform's variables.

use crate::scope;
use crate::sdk::experimental::wasi::config::store;
use rental::config::{Config, ConfigError};
use rental::error::Error;

/// Reads the configuration, when an instance starts and never again: one call of the host for all variables that the component
/// is granted (`wasi:config`). The instance waits for it, also where Spin has to ask a vault.
///
/// # Errors
/// [`Error::Internal`] with the sentence that says which variable is wrong and how to mend it.
pub fn config() -> Result<Config, Error> {
    parsed_by(|lookup| Config::parse(lookup))
}

/// [`config`], for a component that needs less of it.
///
/// # Errors
/// As [`config`].
pub fn parsed_by<T>(
    parse: impl FnOnce(&dyn Fn(&'static str) -> Option<String>) -> Result<T, ConfigError>,
) -> Result<T, Error> {
    let values = store::get_all();
    // The instance stood still for it.
    scope::forget_moment();
    let values = values.map_err(|error| Error::Internal(format!("the variables cannot be read: {error:?}")))?;
    let value = |name: &'static str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    parse(&value).map_err(|error| Error::Internal(error.to_string()))
}
