//! How a region works off the log: one statement on the primary, then Redis, then the record.

use super::{Switch, World};

/// What an instance has read of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Batch {
    /// When it began to ask.
    begun_at: u8,
    /// How many commits were visible.
    visible: u8,
    /// Where the cursor may go.
    cursor: u8,
    /// A bit for each writer whose commit is among the rows.
    rows: u8,
    /// The Redis that it is for.
    epoch: u8,
    /// The registration that it is of.
    generation: u8,
    /// Whether the cache has to be emptied, because the record is of an earlier registration.
    begins_anew: bool,
    /// How many of its three steps are done.
    done: usize,
}

enum Task {
    /// Tell Redis how far the log is worked off.
    Demand,
    /// Delete entries, break locks, take fences down.
    Invalidate,
    MoveRecord,
}

impl World {
    pub(super) fn read_log(&mut self, region: usize, reader: usize, off: Option<Switch>) -> Option<()> {
        let Some(mut batch) = self.regions[region].log_readers[reader].take() else {
            if !self.regions[region].is_registered {
                self.register(region, reader);
                return Some(());
            }
            let batch = self.ask(region, reader, off)?;
            self.regions[region].log_readers[reader] = Some(batch);
            return Some(());
        };
        let tasks = match off {
            Some(Switch::RedisFirst) => [Task::MoveRecord, Task::Demand, Task::Invalidate],
            Some(Switch::DemandFirst) => [Task::Invalidate, Task::Demand, Task::MoveRecord],
            _ => [Task::Demand, Task::Invalidate, Task::MoveRecord],
        };
        let is_last = batch.done + 1 == tasks.len();
        // A batch for a Redis that is gone is given up.
        if batch.epoch == self.regions[region].epoch {
            match tasks[batch.done] {
                Task::Demand => {
                    let worked_off = &mut self.regions[region].worked_off;
                    *worked_off = (*worked_off).max(Some(batch.visible));
                }
                Task::Invalidate => self.invalidate_rows(region, &batch),
                Task::MoveRecord => self.move_record(region, &batch, off),
            }
            batch.done += 1;
            self.regions[region].log_readers[reader] = (!is_last).then_some(batch);
        }
        Some(())
    }

    /// Rows of what is visible by now may be gone; rows of what commits later are kept.
    fn register(&mut self, region: usize, reader: usize) {
        let visible = self.visible;
        let region = &mut self.regions[region];
        region.is_registered = true;
        region.generation += 1;
        region.registered_by = Some(reader as u8);
        region.forgotten = visible;
    }

    /// Asks and is answered, by one snapshot. Asking again where nothing has changed since is no step.
    fn ask(&self, number: usize, reader: usize, off: Option<Switch>) -> Option<Batch> {
        let region = &self.regions[number];
        let (visible, record) = (self.visible, region.record);
        let is_of_another = record.generation != region.generation;
        if visible == record.position && record.read_at == self.now && region.worked_off.is_some() && !is_of_another {
            return None;
        }
        let id = |writer: u8| self.xids.iter().position(|begun| *begun == writer).map_or(0, |id| id as u8);
        let kept = self.wal.iter().take(visible.into()).skip(region.forgotten.into());
        let (mut rows, mut behind) = (0, record.cursor);
        for writer in kept.map(|commit| commit.writer).filter(|writer| id(*writer) >= record.cursor) {
            rows |= 1 << writer;
            behind = behind.max(id(writer) + 1);
        }
        let notices = off != Some(Switch::Generation) || region.registered_by == Some(reader as u8);
        Some(Batch {
            begun_at: self.now,
            visible,
            cursor: if off == Some(Switch::CommitOrder) { behind } else { self.horizon(visible) },
            rows,
            epoch: region.epoch,
            generation: region.generation,
            begins_anew: is_of_another && notices && off != Some(Switch::EmptyOnReturn),
            done: 0,
        })
    }

    fn invalidate_rows(&mut self, region: usize, batch: &Batch) {
        let region = &mut self.regions[region];
        if batch.rows != 0 || batch.begins_anew {
            region.value = None;
            region.lock = None;
        }
        region.fences &= !batch.rows;
    }

    fn move_record(&mut self, region: usize, batch: &Batch, off: Option<Switch>) {
        let read_at = if off == Some(Switch::LeaseFromBegin) { self.now } else { batch.begun_at };
        let record = &mut self.regions[region].record;
        record.cursor = record.cursor.max(batch.cursor);
        record.position = record.position.max(batch.visible);
        record.read_at = record.read_at.max(read_at);
        record.generation = record.generation.max(batch.generation);
    }
}
