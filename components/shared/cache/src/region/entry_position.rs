//! An entry carries what its reader has seen: whoever is answered from it has seen as much.

use super::Position;
use crate::Entry;

/// Timeline, WAL position, and transaction id, little endian.
const BYTES: usize = 4 + 8 + 8;

/// Puts what was seen behind the entry's body.
pub fn attach(entry: &mut Entry, seen: Position) {
    entry.body.extend_from_slice(&seen.timeline.to_le_bytes());
    entry.body.extend_from_slice(&seen.lsn.to_le_bytes());
    entry.body.extend_from_slice(&seen.below.to_le_bytes());
}

/// Takes it away again; `None` for an entry that carries none.
///
/// ```
/// use cache::Entry;
/// use cache::region::{Position, attach, detach};
///
/// let seen = Position { timeline: 1, lsn: 700, below: 90, own: 0 };
/// let mut entry = Entry::of(b"hello".to_vec());
/// attach(&mut entry, seen);
/// assert_eq!((detach(&mut entry), entry.body), (Some(seen), b"hello".to_vec()));
/// ```
pub fn detach(entry: &mut Entry) -> Option<Position> {
    let at = entry.body.len().checked_sub(BYTES)?;
    let tail = entry.body.split_off(at);
    let (timeline, rest) = tail.split_first_chunk()?;
    let (lsn, rest) = rest.split_first_chunk()?;
    let (below, _) = rest.split_first_chunk()?;
    Some(Position {
        timeline: u32::from_le_bytes(*timeline),
        lsn: u64::from_le_bytes(*lsn),
        below: u64::from_le_bytes(*below),
        own: 0,
    })
}
