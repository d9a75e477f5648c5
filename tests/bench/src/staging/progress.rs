//! The line that a load shows once a second.

use crate::load::{Answered, Counts};
use crate::measure::{histogram, millis};
use crate::results::hit_ratio;

/// What came of this second: `answered` and `failed` in it, and how many requests wait or are under way at its end.
pub fn line(second: u64, rate: u32, answered: &[Answered], failed: &Counts, waiting: u64) -> String {
    let count: u64 = failed.0.values().sum();
    let reached = answered.len() as u64 + count;
    let mut line = format!("{second:>5} s  {reached:>4}/s of {rate}  {count} failed");
    if count > 0 {
        let named: Vec<String> = failed.0.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
        line += &format!(" ({})", named.join(", "));
    }
    if let Ok(latencies) = histogram(answered)
        && !latencies.is_empty()
    {
        let [p50, p99] = [0.5, 0.99].map(|p| millis(latencies.value_at_quantile(p)));
        line += &format!("  p50 {p50:.2} ms  p99 {p99:.2} ms");
    }
    if let Some(ratio) = hit_ratio(answered.iter().filter(|it| !it.is_write)) {
        line += &format!("  hits {:.0} %", 100.0 * ratio);
    }
    line + &format!("  {waiting} under way")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Kind;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        Counts(pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    #[test]
    fn a_second_is_told_in_a_line() {
        let answered = |kind, millis: u32| Answered {
            micros: millis * 1_000,
            kind,
            is_write: kind == Kind::Other,
            is_list: false,
        };
        // A write is no miss.
        let second =
            [answered(Kind::Hit, 1), answered(Kind::Hit, 1), answered(Kind::Miss, 8), answered(Kind::Other, 8)];
        assert_eq!(
            line(12, 4, &second, &counts(&[]), 0),
            "   12 s     4/s of 4  0 failed  p50 1.00 ms  p99 8.00 ms  hits 67 %  0 under way"
        );
    }

    #[test]
    fn a_second_in_which_all_fails_says_of_what() {
        let failed = counts(&[("503 Service Unavailable", 3), ("no answer", 1)]);
        assert_eq!(
            line(1, 50, &[], &failed, 46),
            "    1 s     4/s of 50  4 failed (503 Service Unavailable ×3, no answer ×1)  46 under way"
        );
    }
}
