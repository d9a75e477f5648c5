//! Secrets that could be guessed, and keys that are none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Findings, Settings};

/// HS256 needs a key as long as its hash (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// Fewer different characters than this in so long a secret are a pattern: 32 random hexadecimal digits have about 14.
const MIN_DIFFERENT: usize = 10;
/// What 256 bits of security need.
const KEY_BYTES: usize = 32;
/// What people write where a secret should be.
const GUESSABLE: [&str; 8] =
    ["secret", "password", "changeme", "change-me", "demo", "example", "0123456789", "at least 32"];

/// What tokens are signed with, and where their keys come from.
pub fn tokens(settings: &Settings, found: &mut Findings) {
    let secret = settings.variable("jwt_secret");
    let mend = "openssl rand -base64 48, and give RentTracker the same key";
    if !secret.is_empty() {
        if settings.development_secret.as_deref() == Some(secret) {
            found.add("jwt_secret", "is the one of the demo on this machine", mend);
        } else if let Some(problem) = weakness(secret, MIN_SECRET_BYTES) {
            found.add("jwt_secret", problem, mend);
        }
    }
    let url = settings.variable("jwt_jwks_url");
    if !url.is_empty() && !url.starts_with("https://") {
        found.add(
            "jwt_jwks_url",
            "fetches the keys that tokens are trusted by without TLS",
            "use the issuer's https:// address",
        );
    }
}

/// Why a secret could be guessed.
pub fn weakness(secret: &str, shortest: usize) -> Option<String> {
    let lower = secret.to_ascii_lowercase();
    let mut different: Vec<char> = secret.chars().collect();
    different.sort_unstable();
    different.dedup();
    if secret.len() < shortest {
        Some(format!("has {} bytes; at least {shortest} are needed", secret.len()))
    } else if let Some(word) = GUESSABLE.iter().find(|word| lower.contains(**word)) {
        Some(format!("has {word:?} in it, and so is no random secret"))
    } else if different.len() < MIN_DIFFERENT.min(shortest) {
        Some("repeats a few characters, and so is no random secret".into())
    } else {
        None
    }
}

/// What entries of the cache are sealed with.
pub fn seal(settings: &Settings, found: &mut Findings) {
    let mend = "openssl rand -base64 32; while changing it, the new one, a comma, and the old one";
    if settings.variable("cache_seal_key").is_empty() {
        found.add("cache_seal_key", "is not set: a writer to Redis can forge answers of the API", mend);
        return;
    }
    keys("cache_seal_key", settings, mend, found);
}

/// What session tokens are signed with, in one region of several.
pub fn session(settings: &Settings, found: &mut Findings) {
    let mend = "openssl rand -base64 32, the same in all regions; while changing it, as infra/deploy/variables.md says";
    if settings.variable("session_key").is_empty() {
        if !settings.variable("region").is_empty() {
            found.add("session_key", "is not set, and region is: the components refuse to start", mend);
        }
        return;
    }
    keys("session_key", settings, mend, found);
}

/// Keys in base64, separated by commas.
fn keys(name: &str, settings: &Settings, mend: &str, found: &mut Findings) {
    for key in settings.variable(name).split(',').map(str::trim) {
        match STANDARD.decode(key) {
            Ok(bytes) if bytes.len() != KEY_BYTES => {
                found.add(name, format!("holds a key of {} bytes; {KEY_BYTES} are needed", bytes.len()), mend);
            }
            Ok(bytes) if bytes.iter().all(|byte| Some(byte) == bytes.first()) => {
                found.add(name, "holds a key of one repeated byte", mend);
            }
            Ok(_) => {}
            Err(_) => found.add(name, "holds a key that is not base64", mend),
        }
    }
}
