//! The configuration of the instance, read once.

use rental::config::{Config, VARIABLES};
use rental::error::Error;
use spin_sdk::variables;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    static CONFIG: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
}

/// The configuration. A variable is a host call, so they are read when an instance starts and never again.
///
/// # Errors
/// [`Error::Internal`] with the sentence that says which variable is wrong and how to mend it.
pub async fn config() -> Result<Rc<Config>, Error> {
    if let Some(config) = CONFIG.with_borrow(Clone::clone) {
        return Ok(config);
    }
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
    let config = Config::parse(|name| values.get(name).cloned()).map_err(|error| Error::Internal(error.to_string()))?;
    let config = Rc::new(config);
    CONFIG.set(Some(Rc::clone(&config)));
    Ok(config)
}
