//! What a server of PostgreSQL says, with an answer, of how far it shows the history of the database.

use super::{Position, Snapshot, Unreadable};
use std::str::FromStr;

/// How far the server that answered a statement showed the history of the database (`read_progress` in
/// `infra/migrations/0020_regions.sql`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which run of which server it is.
    pub server: u64,
    /// The timeline; `None` at a standby.
    pub timeline: Option<u32>,
    /// A WAL position that was asked for behind the snapshot: at the primary where the WAL is, at a standby how much is replayed.
    pub lsn: u64,
    /// The transaction of the statement, if it wrote. 0 for none.
    pub own: u64,
    /// The registration of the region that it shows. 0 for none.
    pub generation: u64,
    /// What the statement saw.
    pub snapshot: Snapshot,
}

impl FromStr for Progress {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(Unreadable);
        let (server, timeline, lsn) = (word()?, word()?, word()?);
        let (own, generation, snapshot) = (word()?, word()?, word()?);
        let number = |text: &str| text.parse().map_err(|_| Unreadable);
        let timeline = match timeline {
            "-" => None,
            hexadecimal => Some(u32::from_str_radix(hexadecimal, 16).map_err(|_| Unreadable)?),
        };
        Ok(Self {
            server: number(server)?,
            timeline,
            lsn: number(lsn)?,
            own: number(own)?,
            generation: number(generation)?,
            snapshot: snapshot.parse()?,
        })
    }
}

/// What a standby must show so that what is read there may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The registration of the region.
    pub generation: u64,
    /// Everything before this WAL position.
    pub lsn: u64,
}

/// How far a standby had replayed, before a statement was sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// As in [`Progress`].
    pub server: u64,
    /// Everything before this WAL position.
    pub lsn: u64,
}

impl Progress {
    /// What a session has seen that read this at the primary, or wrote it. `None` for what a standby said.
    pub fn at_primary(&self) -> Option<Position> {
        let timeline = self.timeline?;
        Some(Position { timeline, lsn: self.lsn, below: 0, own: self.own })
    }

    /// Whether the primary showed everything that `demand` has seen. It shows each commit a moment after it was sent to the standbys,
    /// and later where commits wait for a synchronous one.
    ///
    /// ```
    /// use cache::region::{Position, Progress};
    ///
    /// let primary: Progress = "1 00000001 900 0 0 70:72:70".parse().unwrap();
    /// let demand = |below| Position { timeline: 1, lsn: 950, below, own: 71 };
    /// assert!(primary.primary_shows(demand(70)) && !primary.primary_shows(demand(71)));
    /// assert!(primary.primary_shows(Position { timeline: 2, ..demand(71) }), "of another history");
    /// ```
    pub fn primary_shows(&self, demand: Position) -> bool {
        self.timeline != Some(demand.timeline) || self.snapshot.xmin >= demand.below
    }

    /// What a session has seen that read this at a standby, which had replayed `before` when it was asked, or `None`: the standby did
    /// not show everything before `lsn` and everything that `demand` has seen, or it is another one, or none. One that follows another
    /// history than the primary's, as after a failover, does not show the region's registration there.
    ///
    /// ```
    /// use cache::region::{Near, Position, Progress, Replayed};
    ///
    /// let standby: Progress = "5 - 920 0 3 70:74:".parse().unwrap();
    /// let before = Replayed { server: 5, lsn: 900 };
    /// let demand = Position { timeline: 1, lsn: 880, below: 0, own: 69 };
    /// let region = |lsn| Near { generation: 3, lsn };
    /// assert_eq!(standby.at_standby(before, region(900), demand), Some(Position { timeline: 1, lsn: 920, below: 74, own: 0 }));
    /// // What it has replayed since says nothing of what the statement saw.
    /// assert_eq!(standby.at_standby(before, region(901), demand), None);
    /// assert_eq!(standby.at_standby(before, region(900), Position { lsn: 901, ..demand }), None);
    /// assert_eq!(standby.at_standby(before, region(900), Position { own: 70, ..demand }), None);
    /// assert_eq!(standby.at_standby(Replayed { server: 6, ..before }, region(900), demand), None);
    /// assert_eq!(standby.at_standby(before, Near { generation: 4, lsn: 900 }, demand), None);
    /// ```
    pub fn at_standby(&self, before: Replayed, near: Near, demand: Position) -> Option<Position> {
        let is_the_same = self.timeline.is_none()
            && self.server == before.server
            && self.lsn >= before.lsn
            && self.generation == near.generation;
        let shows_all = before.lsn >= near.lsn.max(demand.lsn) && (demand.own == 0 || self.snapshot.xmin > demand.own);
        (is_the_same && shows_all).then_some(Position {
            timeline: demand.timeline,
            lsn: self.lsn,
            below: self.snapshot.xmax,
            own: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_read_progress_says_is_understood() {
        assert!("1 0000000A 9 0 0 1:1:".parse::<Progress>().is_ok_and(|progress| progress.timeline == Some(10)));
        for text in
            ["", "1 1 9 0 0", "1 x 9 0 0 1:1:", "x 1 9 0 0 1:1:", "1 1 9 -1 0 1:1:", "1 1 9 0 0 1:1", "1 1 9 0 1:1:"]
        {
            assert_eq!(text.parse::<Progress>(), Err(Unreadable), "{text}");
        }
    }
}
