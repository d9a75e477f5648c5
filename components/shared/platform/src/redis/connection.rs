//! A connection to Redis: every call with a deadline, measured and counted.

use super::client::{Client, Sent};
use super::protocol::Protocol;
use crate::metrics::counts::Counts;
use crate::scope::{self, Share};
use crate::time::{timed, within};
use cache::{Argument, Command, Facts, RedisFailure, Reply, Script, Slot, strings};
use rental::metrics::Timing;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Where an instance keeps its connection.
pub type Place = Rc<RefCell<Option<Rc<Connection>>>>;

/// A connection, and which Redis is at its other end. The instance's requests share it.
pub struct Connection {
    protocol: Protocol,
    /// Which Redis it is: another one after every restart, on every other server, and when the server has been a replica
    /// meanwhile ([`cache::Identity`]). By REST: another one when the data are others.
    pub run_id: String,
    counts: Rc<Counts>,
    place: Weak<RefCell<Option<Rc<Connection>>>>,
}

impl Connection {
    /// A connection to the Redis that says it is `run_id`, kept in `place`.
    pub fn new(
        protocol: Protocol,
        run_id: String,
        counts: Rc<Counts>,
        place: Weak<RefCell<Option<Rc<Connection>>>>,
    ) -> Self {
        Self { protocol, run_id, counts, place }
    }

    /// Has the instance open another one: a connection that failed stays broken. It closes when its last request drops it.
    pub fn give_up(&self) {
        if let Some(place) = self.place.upgrade() {
            place.borrow_mut().take_if(|current| std::ptr::eq(Rc::as_ptr(current), self));
        }
    }

    /// What Redis says of itself.
    ///
    /// # Errors
    /// As every command.
    pub async fn facts(&self, deadline: Duration) -> Result<Facts, RedisFailure> {
        let info = self.within(deadline, Command::Info, self.protocol.info()).await?;
        Ok(Facts::of(&info))
    }

    /// Waits for `work`, which is `command`, for at most `deadline`.
    async fn within<T>(
        &self,
        deadline: Duration,
        command: Command,
        work: impl Future<Output = Result<T, RedisFailure>>,
    ) -> Result<T, RedisFailure> {
        let (answer, took) = timed(deadline, work).await;
        let result = answer.unwrap_or(Err(RedisFailure::TimedOut));
        self.counts.time(Timing::Redis(command), took);
        scope::add(Share::Redis, took);
        self.counts.redis(&result);
        if !is_answer(&result) {
            self.give_up();
        }
        result
    }

    async fn execute(
        &self,
        deadline: Duration,
        command: Command,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Reply>, RedisFailure> {
        self.within(deadline, command, self.protocol.execute(command, arguments)).await
    }

    /// The stored bytes of a value or of one page of a list, or nothing within `deadline`. Of a value that is larger than any
    /// entry no more comes than what tells that. `sent` is this very command, if it is under way already; it is then measured
    /// from now.
    ///
    /// # Errors
    /// [`RedisFailure::Refused`] when there is a value of another type.
    pub async fn get(
        &self,
        deadline: Duration,
        slot: &Slot<'_>,
        sent: Option<Sent>,
    ) -> Result<Option<Vec<u8>>, RedisFailure> {
        let command = if slot.key().is_list() { Command::HGet } else { Command::GetRange };
        let answer = match sent {
            Some(sent) => self.within(deadline, command, sent).await?,
            None => self.within(deadline, command, self.protocol.get(slot.key(), slot.field())).await?,
        };
        Ok(answer.into_iter().find_map(|part| match part {
            // GETRANGE has no other answer for what is not there.
            Reply::Bytes(bytes) if !bytes.is_empty() => Some(bytes),
            _ => None,
        }))
    }

    /// One step of a walk through all keys: where the next one begins (0: nowhere), and the keys of this one that match.
    ///
    /// # Errors
    /// As every command.
    pub async fn scan(
        &self,
        deadline: Duration,
        cursor: u64,
        glob: &str,
        count: u32,
    ) -> Result<(u64, Vec<Vec<u8>>), RedisFailure> {
        let words = [&cursor.to_string(), "MATCH", glob, "COUNT", &count.to_string()];
        let answer = self.execute(deadline, Command::Scan, words.map(|word| word.as_bytes().to_vec()).into()).await?;
        // The cursor and the list of keys come as one flat list.
        let mut parts = strings(answer);
        let next = parts.next().and_then(|part| std::str::from_utf8(&part).ok()?.parse().ok());
        let next = next.ok_or_else(|| RedisFailure::Refused("SCAN names no cursor".into()))?;
        Ok((next, parts.collect()))
    }

    /// Deletes keys; how many there were.
    ///
    /// # Errors
    /// As every command.
    pub async fn delete(&self, deadline: Duration, keys: Vec<Argument>) -> Result<u64, RedisFailure> {
        let answer = self.execute(deadline, Command::Del, keys).await?;
        let number = answer.into_iter().find_map(|part| match part {
            Reply::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        });
        number.ok_or_else(|| RedisFailure::Refused("DEL answers no number".into()))
    }

    /// Runs a script; the parts of its answer that are strings, or nothing within `deadline`.
    ///
    /// # Errors
    /// As every command.
    pub async fn run(&self, deadline: Duration, script: Script) -> Result<Vec<Vec<u8>>, RedisFailure> {
        Ok(strings(self.within(deadline, Command::Eval, self.protocol.run(script)).await?).collect())
    }

    /// Runs a script whose outcome no request depends on; the parts of its answer that are strings. It is neither measured nor
    /// counted, and what becomes of it says nothing of the connection.
    ///
    /// # Errors
    /// As every command.
    pub async fn run_aside(&self, deadline: Duration, script: Script) -> Result<Vec<Vec<u8>>, RedisFailure> {
        let answer = within(deadline, self.protocol.run(script)).await;
        Ok(strings(answer.unwrap_or(Err(RedisFailure::TimedOut))?).collect())
    }

    /// Runs scripts, in as few requests as the protocol allows; `deadline` is for each script. The parts of their answers that are
    /// strings, one behind the other.
    ///
    /// # Errors
    /// As every command; which of them have run is then unknown.
    pub async fn run_all(
        &self,
        deadline: Duration,
        scripts: impl IntoIterator<Item = Script>,
    ) -> Result<Vec<Vec<u8>>, RedisFailure> {
        let (mut scripts, mut answers) = (scripts.into_iter(), Vec::new());
        loop {
            let batch: Vec<Script> = scripts.by_ref().take(self.protocol.scripts_at_once()).collect();
            let Ok(count @ 1..) = u32::try_from(batch.len()) else {
                return Ok(answers);
            };
            let deadline = deadline.saturating_mul(count);
            answers.extend(strings(self.within(deadline, Command::Eval, self.protocol.run_all(batch)).await?));
        }
    }
}

/// Whether Redis has answered, if only with an error.
pub fn is_answer<T>(result: &Result<T, RedisFailure>) -> bool {
    result.as_ref().err().is_none_or(RedisFailure::is_answer)
}
