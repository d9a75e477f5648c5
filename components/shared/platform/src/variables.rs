//! The configuration, out of the platform's variables.

use crate::sdk::variables;
use rental::config::{Config, VARIABLES};
use rental::error::Error;
use std::collections::HashMap;

/// Reads the configuration. A variable is a host call, so this is done when an instance starts and never again.
///
/// # Errors
/// [`Error::Internal`] with the sentence that says which variable is wrong and how to mend it.
pub async fn config() -> Result<Config, Error> {
    let mut values = HashMap::new();
    for name in VARIABLES {
        match variables::get(name).await {
            Ok(value) => {
                values.insert(*name, value);
            }
            // Not granted to this component: it does not use it.
            Err(variables::Error::Undefined(_)) => {}
            Err(error) => return Err(Error::Internal(format!("the variable `{name}` cannot be read: {error:?}"))),
        }
    }
    Config::parse(|name| values.get(name).cloned()).map_err(|error| Error::Internal(error.to_string()))
}
