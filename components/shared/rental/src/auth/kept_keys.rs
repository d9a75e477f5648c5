//! A set of keys as one instance leaves it to the next, in the key-value store. Instances come and go with some hundred
//! requests: the issuer must not be asked by each of them, nor be there for each of them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

const TAG_BYTES: usize = 32;
const TIME_BYTES: usize = 8;
/// What the tag is for, so that the same secret used elsewhere makes others.
const PURPOSE: &[u8] = b"renttracker-edge key set 1\0";

/// What to store of the set `json`, which `url` answered when it was asked at `asked_at` (Unix time).
///
/// An attacker who can write to the store must not be able to sign as a landlord. So it is authenticated (HMAC-SHA256, RFC 2104)
/// under `secret`: one that every component has, and that opens as much by itself, which is `database_url`.
pub fn keep(secret: &str, url: &str, asked_at: Duration, json: &[u8]) -> Option<Vec<u8>> {
    let time = u64::try_from(asked_at.as_millis()).ok()?.to_be_bytes();
    let tag = mac(secret, url, &time, json)?.finalize().into_bytes();
    Some([&tag[..], &time[..], json].concat())
}

/// When the set was asked for (Unix time), and its JSON; `None` for what no component has stored for this `url`.
pub fn kept<'a>(secret: &str, url: &str, stored: &'a [u8]) -> Option<(Duration, &'a [u8])> {
    let (tag, rest) = stored.split_at_checked(TAG_BYTES)?;
    let (time, json) = rest.split_at_checked(TIME_BYTES)?;
    mac(secret, url, time, json)?.verify_slice(tag).ok()?;
    Some((Duration::from_millis(u64::from_be_bytes(time.try_into().ok()?)), json))
}

fn mac(secret: &str, url: &str, time: &[u8], json: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in [PURPOSE, &(url.len() as u64).to_be_bytes(), url.as_bytes(), time, json] {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED_AT: Duration = Duration::from_millis(1_700_000_000_123);

    #[test]
    fn a_set_that_a_component_stored_is_taken_with_its_time() {
        let stored = keep("secret", "https://id/keys", ASKED_AT, b"{}").expect("stored");
        assert_eq!(kept("secret", "https://id/keys", &stored), Some((ASKED_AT, &b"{}"[..])));
    }

    #[test]
    fn a_set_that_another_writer_stored_is_refused() {
        let stored = keep("secret", "https://id/keys", ASKED_AT, b"{\"keys\":[]}").expect("stored");
        for at in 0..stored.len() {
            let mut altered = stored.clone();
            altered[at] ^= 1;
            assert_eq!(kept("secret", "https://id/keys", &altered), None, "byte {at}");
            assert_eq!(kept("secret", "https://id/keys", &stored[..at]), None, "cut off at {at}");
        }
        assert_eq!(kept("another secret", "https://id/keys", &stored), None);
        assert_eq!(kept("secret", "https://id/key", &stored), None, "another issuer's");
    }
}
