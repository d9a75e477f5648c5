//! Randomness, and what is made of it.

use super::clock::unix_ms;
use rental::error::Error;

/// Random bytes from the platform.
///
/// # Errors
/// [`Error::Internal`] when it has none, which no supported platform does.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// A token that nobody else has.
pub fn token() -> Result<String, Error> {
    Ok(format!("{:032x}", u128::from_le_bytes(random()?)))
}

/// A new id, time-ordered, made by `make` from Unix milliseconds and random bytes.
///
/// # Errors
/// As [`random`].
pub fn new_id<T>(make: impl Fn(u64, &[u8; 10]) -> T) -> Result<T, Error> {
    Ok(make(unix_ms(), &random()?))
}
