//! A snapshot of PostgreSQL, as text: which transactions it shows.

use std::fmt;
use std::str::FromStr;

/// Which transactions a snapshot shows, as `pg_current_snapshot()` writes it: `xmin:xmax:running,…`.
///
/// A hot standby's names none of those that are running (`findings/a-standbys-snapshot-names-no-running-transaction.sh`): of it only
/// `xmin` and `xmax` count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every transaction below is over.
    pub xmin: u64,
    /// No transaction from here on is shown.
    pub xmax: u64,
    running: Vec<u64>,
}

impl Snapshot {
    /// Whether a primary's snapshot shows what a transaction that has committed did.
    ///
    /// ```
    /// use cache::region::Snapshot;
    ///
    /// let snapshot: Snapshot = "700:705:700,702".parse().unwrap();
    /// let shown: Vec<u64> = (698..707).filter(|id| snapshot.shows(*id)).collect();
    /// assert_eq!(shown, [698, 699, 701, 703, 704]);
    /// ```
    pub fn shows(&self, transaction: u64) -> bool {
        transaction < self.xmax && !self.running.contains(&transaction)
    }
}

/// A text that is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what PostgreSQL says of its progress cannot be read")]
pub struct Unreadable;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (index, id) in self.running.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{id}")?;
        }
        Ok(())
    }
}

impl FromStr for Snapshot {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or(Unreadable);
        let (xmin, xmax) = (number()?, number()?);
        let running = parts.next().ok_or(Unreadable)?;
        let running = running.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().map_err(|_| Unreadable));
        Ok(Self { xmin, xmax, running: running.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_snapshot_is_read_as_one() {
        assert_eq!("7:7:".parse(), Ok(Snapshot { xmin: 7, xmax: 7, running: vec![] }));
        for text in ["", "7", "7:8", "7:8:x", "7:8:9,", ":8:", "-1:8:"] {
            let expected = (text == "7:8:9,").then(|| Snapshot { xmin: 7, xmax: 8, running: vec![9] });
            assert_eq!(text.parse::<Snapshot>().ok(), expected, "{text}");
        }
        for text in ["7:7:", "7:9:7,8"] {
            assert_eq!(text.parse::<Snapshot>().map(|snapshot| snapshot.to_string()), Ok(text.to_owned()));
        }
    }
}
