//! How long a request took, for its client (Server-Timing, W3C).

use http::HeaderValue;
use std::time::Duration;

/// Longer than any value: a word, three numbers of at most 20 digits, and the names between them.
const LONGEST: usize = 160;

/// The value of `Server-Timing`, in milliseconds to the hundredth: what the cache did, how long Redis and PostgreSQL were waited
/// for, and how long all took. Each answer has one, so it is made without `format!`.
pub fn server_timing(cache: &str, redis: Duration, postgres: Duration, total: Duration) -> Option<HeaderValue> {
    let mut text = String::with_capacity(LONGEST);
    text.push_str("cache;desc=");
    text.push_str(cache);
    for (name, took) in [(", redis;dur=", redis), (", db;dur=", postgres), (", total;dur=", total)] {
        text.push_str(name);
        push_millis(&mut text, took);
    }
    HeaderValue::try_from(text).ok()
}

fn push_millis(text: &mut String, took: Duration) {
    let hundredths = took.as_secs() * 100_000 + u64::from(took.subsec_micros() + 5) / 10;
    text.push_str(itoa::Buffer::new().format(hundredths / 100));
    text.push('.');
    if hundredths % 100 < 10 {
        text.push('0');
    }
    text.push_str(itoa::Buffer::new().format(hundredths % 100));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_told_in_milliseconds_to_the_hundredth() {
        for (micros, expected) in [
            (0, "0.00"),
            (4, "0.00"),
            (5, "0.01"),
            (1_234, "1.23"),
            (1_235, "1.24"),
            (9_995, "10.00"),
            (60_000_000, "60000.00"),
        ] {
            let mut text = String::new();
            push_millis(&mut text, Duration::from_micros(micros));
            assert_eq!(text, expected, "{micros}");
        }
    }

    #[test]
    fn the_header_has_what_the_cache_did_and_three_durations() {
        let ms = Duration::from_millis;
        let value = server_timing("stored", ms(1), Duration::from_micros(4_100), ms(24)).expect("a value");
        assert_eq!(value, "cache;desc=stored, redis;dur=1.00, db;dur=4.10, total;dur=24.00");
    }
}
