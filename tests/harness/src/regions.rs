//! The judge of several regions, without I/O: how old an answer is, and whether it may be, given the writes that were answered
//! before it was asked.
//!
//! A version is a number that every write raises by one, and a content is a number that no other write has. What is not there has
//! version 0: nothing is deleted here.

use std::collections::{HashMap, HashSet};

/// Nanoseconds of one clock.
pub type Time = u64;

/// Something that an answer may not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Older than a write that had been answered in the same region before the read began.
    Stale,
    /// Older than a write that had been answered anywhere longer than the bound before the read began.
    BeyondTheBound,
    /// Older than what the same session had read or written.
    WentBack,
    /// A version that no write can have made, or the version of one write with the content of another.
    NeverWritten,
    /// Two writes were answered with the same version.
    Twice,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] =
        [Fault::Stale, Fault::BeyondTheBound, Fault::WentBack, Fault::NeverWritten, Fault::Twice];
}

/// A write that was answered.
#[derive(Clone, Copy, Debug)]
struct Answered {
    region: usize,
    at: Time,
}

/// A read that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Where it was answered.
    pub region: usize,
    /// When it was sent.
    pub start: Time,
    /// What it told.
    pub version: u64,
    /// What it told; `None` with version 0.
    pub content: Option<u64>,
}

/// What is said of a read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How long before the read the oldest write had been answered that it does not show; 0 when it shows all.
    pub age: Time,
    /// What it should not have told.
    pub faults: Vec<Fault>,
}

/// One thing that is written and read.
#[derive(Default)]
pub struct Key {
    answered: HashMap<u64, Answered>,
    newest: u64,
    /// By version, of writes that were answered or read.
    contents: HashMap<u64, u64>,
    /// Of writes that may have been carried out, and were not answered.
    open: HashSet<u64>,
}

impl Key {
    /// To be called before a write is sent.
    pub fn begin(&mut self, content: u64) {
        self.open.insert(content);
    }

    /// A write that was certainly not carried out.
    pub fn refused(&mut self, content: u64) {
        self.open.remove(&content);
    }

    /// A write was answered with `version`.
    pub fn answered(&mut self, version: u64, content: u64, region: usize, at: Time) -> Result<(), Fault> {
        self.open.remove(&content);
        self.newest = self.newest.max(version);
        let is_known = self.answered.insert(version, Answered { region, at }).is_some();
        let other = self.contents.insert(version, content).is_some_and(|its| its != content);
        match (is_known, other) {
            (true, _) => Err(Fault::Twice),
            (false, true) => Err(Fault::NeverWritten),
            (false, false) => Ok(()),
        }
    }

    /// Judges a read of a session that had seen the version `floor` (0: nothing), or of none.
    pub fn judge(&mut self, read: Read, floor: u64, bound: Time) -> Verdict {
        let mut verdict = Verdict::default();
        let mut is_stale = false;
        for version in read.version + 1..=self.newest {
            let Some(write) = self.answered.get(&version).filter(|write| write.at < read.start) else { continue };
            verdict.age = verdict.age.max(read.start - write.at);
            is_stale |= write.region == read.region;
        }
        let told = [
            (Fault::Stale, is_stale),
            (Fault::BeyondTheBound, verdict.age > bound),
            (Fault::WentBack, read.version < floor),
            (Fault::NeverWritten, !self.was_written(read.version, read.content)),
        ];
        verdict.faults = told.into_iter().filter(|(_, is_so)| *is_so).map(|(fault, _)| fault).collect();
        verdict
    }

    fn was_written(&mut self, version: u64, content: Option<u64>) -> bool {
        let Some(content) = content else {
            return version == 0;
        };
        match self.contents.get(&version) {
            Some(its) => *its == content,
            // Read before it was answered, or never answered: from now on it is that write's.
            None => self.open.contains(&content) && self.contents.insert(version, content).is_none(),
        }
    }

    /// The newest version whose write was answered.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Compares with the row, when nothing is under way any more: how many answered writes are not in it.
    pub fn settle(&mut self, version: u64, content: u64) -> u64 {
        let lost = self.answered.keys().filter(|its| **its > version).count() as u64;
        lost + u64::from(!self.was_written(version, Some(content)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Time = 1_000;

    /// Version 1 in region 0 at 100, 2 in region 1 at 200, 3 in region 0 at 300; the contents are ten times that. Content 40 is open.
    fn key() -> Key {
        let mut key = Key::default();
        for (version, region) in [(1, 0), (2, 1), (3, 0)] {
            key.begin(version * 10);
            key.answered(version, version * 10, region, version * 100).expect("it is written once");
        }
        key.begin(40);
        key
    }

    fn read(region: usize, start: Time, version: u64) -> Read {
        Read { region, start, version, content: (version > 0).then_some(version * 10) }
    }

    fn check(read: Read, floor: u64, age: Time, faults: &[Fault]) {
        assert_eq!(key().judge(read, floor, BOUND), Verdict { age, faults: faults.into() }, "{read:?}");
    }

    #[test]
    fn a_read_is_as_old_as_the_first_write_that_it_does_not_show() {
        check(read(2, 400, 3), 0, 0, &[]);
        check(read(2, 400, 2), 0, 100, &[]);
        check(read(2, 400, 1), 0, 200, &[]);
        check(read(2, 250, 1), 0, 50, &[]);
        check(read(2, 400, 0), 0, 300, &[]);
    }

    #[test]
    fn a_write_counts_from_its_answer_on() {
        check(read(1, 200, 1), 0, 0, &[]);
        check(read(1, 201, 1), 0, 1, &[Fault::Stale]);
    }

    #[test]
    fn within_a_region_no_read_is_older_than_its_writes() {
        check(read(0, 301, 2), 0, 1, &[Fault::Stale]);
        check(read(1, 301, 2), 0, 1, &[]);
        check(read(1, 301, 1), 0, 101, &[Fault::Stale]);
    }

    #[test]
    fn across_regions_the_bound_holds_to_the_nanosecond() {
        check(read(2, 300 + BOUND, 2), 0, BOUND, &[]);
        check(read(2, 301 + BOUND, 2), 0, BOUND + 1, &[Fault::BeyondTheBound]);
        check(read(2, 301 + BOUND, 3), 0, 0, &[]);
    }

    #[test]
    fn an_early_answer_of_a_later_write_hides_no_unseen_one() {
        let mut key = Key::default();
        key.answered(2, 20, 0, 900).expect("once");
        key.answered(3, 30, 1, 200).expect("once");
        assert_eq!(key.judge(read(2, 1_000, 1), 0, BOUND).age, 800);
    }

    #[test]
    fn a_session_never_goes_back() {
        check(read(2, 250, 2), 2, 0, &[]);
        check(read(2, 250, 1), 2, 50, &[Fault::WentBack]);
    }

    #[test]
    fn what_was_never_written_is_found() {
        check(Read { content: Some(20), ..read(2, 400, 3) }, 0, 0, &[Fault::NeverWritten]);
        check(read(2, 400, 5), 0, 0, &[Fault::NeverWritten]);
        check(Read { content: None, ..read(2, 400, 3) }, 0, 0, &[Fault::NeverWritten]);
        // An open write may have been carried out.
        check(read(2, 400, 4), 0, 0, &[]);
    }

    #[test]
    fn an_open_write_has_one_version() {
        let mut key = key();
        assert_eq!(key.judge(read(2, 400, 4), 0, BOUND), Verdict::default());
        let other = Read { content: Some(50), ..read(2, 400, 4) };
        key.begin(50);
        assert_eq!(key.judge(other, 0, BOUND).faults, [Fault::NeverWritten]);
        assert_eq!(key.answered(4, 50, 0, 500), Err(Fault::NeverWritten));
    }

    #[test]
    fn a_refused_write_is_never_read_and_a_version_is_answered_once() {
        let mut key = key();
        key.refused(40);
        assert_eq!(key.judge(read(2, 400, 4), 0, BOUND).faults, [Fault::NeverWritten]);
        assert_eq!(key.answered(3, 60, 1, 500), Err(Fault::Twice));
    }

    #[test]
    fn answered_writes_that_are_not_in_the_row_are_lost() {
        let check = |version, content, lost| assert_eq!(key().settle(version, content), lost, "{version}");
        check(3, 30, 0);
        check(4, 40, 0);
        check(2, 20, 1);
        check(1, 10, 2);
        check(3, 20, 1);
    }
}
