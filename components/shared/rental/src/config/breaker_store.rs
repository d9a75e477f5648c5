//! Where the breaker's record is.

use super::error::ConfigError;

/// Where the breaker's record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerStore {
    /// `key-value`: in the key-value store, which all hosts share and which has compare-and-swap.
    KeyValue,
    /// `database`: in one row of PostgreSQL, whose clock then tells the record's times.
    Database,
}

/// Reads `breaker_store`.
pub(super) fn parse(value: Option<String>) -> Result<BreakerStore, ConfigError> {
    match value.as_deref().map(str::trim) {
        None | Some("key-value") => Ok(BreakerStore::KeyValue),
        Some("database") => Ok(BreakerStore::Database),
        Some(_) => Err(ConfigError::new("breaker_store", "must be key-value or database")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_where_the_variable_says() {
        let read = |text: &str| parse(Some(text.into())).ok();
        assert_eq!(read("database"), Some(BreakerStore::Database));
        assert_eq!(read(" key-value "), Some(BreakerStore::KeyValue));
        assert_eq!(parse(None).ok(), Some(BreakerStore::KeyValue));
        assert_eq!(read("Database"), None);
    }
}
