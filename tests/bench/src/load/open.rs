//! An open load: requests are sent when they are due, however slow the answers are.
//!
//! A closed loop sends fewer requests while the server is slow, and so leaves out just those that would have been slow as
//! well: coordinated omission (Gil Tene, "How NOT to Measure Latency"). Here, as in his wrk2 ("constant throughput, correct
//! latency recording"), the n-th request is due n/rate seconds after the beginning, and its latency counts from then: what
//! it waited for a connection is in it, and no correction afterwards (HdrHistogram's `recordValueWithExpectedInterval`) is
//! needed.

use std::collections::BTreeMap;
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::closed::{Next, Outcome, own_cpu};
use super::connection::{Answered, Client, Failure, PATIENCE, RUNTIME, Server};

/// How soon an interruption is noticed between two arrivals.
const NOTICE: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

/// When requests are due.
#[derive(Clone, Copy)]
pub struct Schedule {
    rate: u32,
    duration: Duration,
}

impl Schedule {
    /// So many a second, for so long.
    pub fn new(rate: u32, duration: Duration) -> Schedule {
        Schedule { rate, duration }
    }

    /// How long after the beginning the n-th request, from 0, is due; `None` after the last.
    fn due(self, number: usize) -> Option<Duration> {
        let due = Duration::from_secs_f64(number as f64 / f64::from(self.rate));
        (due < self.duration).then_some(due)
    }
}

/// What has happened so far.
#[derive(Default)]
pub struct Tally {
    /// What was answered with success.
    pub answered: Vec<Answered>,
    /// By name, how many failed, and what is known of the first.
    pub failures: BTreeMap<String, (u64, String)>,
    /// How many requests came due.
    pub due: u64,
}

impl Tally {
    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().map(|(count, _)| count).sum()
    }

    /// How many of each failure.
    fn counts(&self) -> Counts {
        Counts(self.failures.iter().map(|(name, (count, _))| (name.clone(), *count)).collect())
    }
}

/// How many of each failure there were.
#[derive(Clone, Default)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Sub<&Counts> for Counts {
    type Output = Counts;

    fn sub(mut self, before: &Counts) -> Counts {
        for (name, count) in &mut self.0 {
            *count -= before.0.get(name).copied().unwrap_or(0);
        }
        self.0.retain(|_, count| *count > 0);
        self
    }
}

/// An open load.
pub struct Open {
    /// Who is asked.
    pub server: Server,
    /// How many connections there are.
    pub connections: usize,
    /// When.
    pub schedule: Schedule,
    /// What is asked.
    pub next: Next,
    /// Set when it shall end early.
    pub stop: Arc<AtomicBool>,
}

type Shared = Arc<Mutex<Tally>>;
type Arrivals = Arc<tokio::sync::Mutex<UnboundedReceiver<(usize, Instant)>>>;

impl Open {
    /// Sends what is due and waits for the answers. Once a second `progress` is told of the second's answers and failures, and
    /// of how many requests wait or are under way.
    pub fn run(self, progress: impl Fn(u64, &[Answered], &Counts, u64)) -> Result<(Outcome, Tally)> {
        let tally = Shared::default();
        let (due, arrivals) = unbounded_channel();
        let arrivals = Arrivals::new(tokio::sync::Mutex::new(arrivals));
        let (began, cpu) = (Instant::now(), own_cpu()?);
        let arriving = {
            let (tally, stop, schedule) = (tally.clone(), self.stop.clone(), self.schedule);
            // A thread of its own: the runtime's timer is a millisecond coarse, and a hit is shorter than that.
            std::thread::spawn(move || arrive(schedule, began, &stop, &tally, &due))
        };
        let elapsed = RUNTIME.block_on(async {
            let start = |number| {
                let (client, next, stop) = (Client::new(self.server.clone()), self.next.clone(), self.stop.clone());
                tokio::spawn(serve(number, client, arrivals.clone(), next, stop, tally.clone()))
            };
            let clients: Vec<_> = (0..self.connections).map(start).collect();
            let all = async {
                for client in clients {
                    client.await?;
                }
                anyhow::Ok(began.elapsed())
            };
            tokio::select! {
                elapsed = all => elapsed,
                () = tell(&tally, progress) => unreachable!("it tells for as long as it is asked"),
            }
        })?;
        arriving.join().map_err(|_| anyhow::anyhow!("the schedule broke"))?;
        let tally = Arc::into_inner(tally).context("somebody still counts")?;
        let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answered = std::mem::take(&mut tally.answered);
        Ok((Outcome { elapsed, answered, own_cpu: own_cpu()?.saturating_sub(cpu) }, tally))
    }
}

fn locked(tally: &Shared) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

fn arrive(
    schedule: Schedule,
    began: Instant,
    stop: &AtomicBool,
    tally: &Shared,
    sender: &UnboundedSender<(usize, Instant)>,
) {
    for number in 0.. {
        let Some(due) = schedule.due(number) else { return };
        let due = began + due;
        loop {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let wait = due.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            std::thread::sleep(wait.min(NOTICE));
        }
        locked(tally).due += 1;
        if sender.send((number, due)).is_err() {
            return;
        }
    }
}

/// Takes what is due next, for as long as anything is.
async fn serve(
    number: usize,
    mut client: Client,
    arrivals: Arrivals,
    next: Next,
    stop: Arc<AtomicBool>,
    tally: Shared,
) {
    while !stop.load(Ordering::SeqCst) {
        // The lock is handed on in turn, so all connections are used alike.
        let arrival = arrivals.lock().await.recv().await;
        let Some((turn, due)) = arrival else { return };
        // What cannot leave for so long is as good as not answered; so a load on a dead server ends.
        let result = if due.elapsed() > PATIENCE {
            Err(Failure { name: "not sent".into(), detail: format!("every connection was busy for {PATIENCE:?}") })
        } else {
            client.exchange(next(number, turn), Some(due)).await
        };
        let mut tally = locked(&tally);
        match result {
            Ok((answered, _)) => tally.answered.push(answered),
            Err(Failure { name, detail }) => tally.failures.entry(name).or_insert((0, detail)).0 += 1,
        }
    }
}

async fn tell(tally: &Shared, progress: impl Fn(u64, &[Answered], &Counts, u64)) {
    let (mut seconds, mut from, mut failures) = (0, 0, Counts::default());
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        seconds += 1;
        let (answered, counts, waiting) = {
            let tally = locked(tally);
            let done = tally.answered.len() as u64 + tally.failed();
            (tally.answered[from..].to_vec(), tally.counts(), tally.due.saturating_sub(done))
        };
        from += answered.len();
        progress(seconds, &answered, &(counts.clone() - &failures), waiting);
        failures = counts;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use http::{HeaderValue, Method};

    use super::super::connection::Ask;
    use super::*;

    #[test]
    fn requests_are_due_at_even_steps_until_the_time_is_over() {
        let schedule = Schedule::new(4, Duration::from_secs(2));
        let due: Vec<_> = (0..9).map(|number| schedule.due(number).map(|due| due.as_millis())).collect();
        assert_eq!(due[..4], [Some(0), Some(250), Some(500), Some(750)]);
        assert_eq!(due[7..], [Some(1750), None]);
    }

    #[test]
    fn failures_of_a_second_are_those_that_came_since() {
        let counts =
            |pairs: &[(&str, u64)]| Counts(pairs.iter().map(|(name, count)| ((*name).into(), *count)).collect());
        let since = counts(&[("503", 5), ("401", 2)]) - &counts(&[("503", 3), ("401", 2)]);
        assert_eq!(since.0, counts(&[("503", 2)]).0);
    }

    /// A server that is asked once a connection and answers each request with the next of these.
    fn server(answers: Vec<(Duration, &'static str)>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for (pause, answer) in answers {
                let (mut stream, _) = listener.accept().expect("a client");
                let _ = stream.read(&mut [0; 1024]);
                std::thread::sleep(pause);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address.into()
    }

    fn open(server: Server, rate: u32, millis: u64) -> Open {
        let ask = Ask {
            method: Method::GET,
            target: "/api/properties?pageSize=50".into(),
            authorization: HeaderValue::from_static("Bearer x"),
            body: bytes::Bytes::new(),
        };
        Open {
            server,
            connections: 1,
            schedule: Schedule::new(rate, Duration::from_millis(millis)),
            next: Arc::new(move |_, _| ask.clone()),
            stop: Arc::default(),
        }
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[test]
    fn a_request_that_waited_for_a_slow_one_before_it_is_slow_too() {
        let slow = Duration::from_millis(300);
        let open = open(server(vec![(slow, FINE), (Duration::ZERO, FINE), (Duration::ZERO, FINE)]), 20, 150);
        let (outcome, tally) = open.run(|_, _, _, _| ()).expect("a load");
        assert_eq!((outcome.answered.len(), tally.due, tally.failed()), (3, 3, 0));
        // Due 50 and 100 ms after the first, and sent when that was answered.
        assert!(outcome.answered.iter().all(|it| it.micros >= 200_000), "the server's own time alone was counted");
    }

    #[test]
    fn what_is_no_success_is_counted_by_name_and_the_load_goes_on() {
        let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
        let moved =
            "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let answers = [busy, moved, "nonsense", FINE].map(|answer| (Duration::ZERO, answer)).to_vec();
        let (outcome, tally) = open(server(answers), 20, 200).run(|_, _, _, _| ()).expect("a load");
        assert_eq!((outcome.answered.len(), tally.failed()), (1, 3));
        assert_eq!(tally.failures["503 Service Unavailable"].1, "GET /api/properties?pageSize=50: busy");
        assert!(tally.failures.contains_key("302 Found (redirects are not followed)"), "{:?}", tally.failures);
        assert!(tally.failures.contains_key("broken connection"), "{:?}", tally.failures);
    }

    #[test]
    fn an_interrupted_load_ends_with_what_was_answered() {
        let mut open = open(server(vec![(Duration::ZERO, FINE)]), 1, 60_000);
        let (stop, next) = (open.stop.clone(), open.next.clone());
        open.next = Arc::new(move |number, turn| {
            stop.store(true, Ordering::SeqCst);
            next(number, turn)
        });
        let (outcome, tally) = open.run(|_, _, _, _| ()).expect("a load");
        assert_eq!((outcome.answered.len(), tally.due), (1, 1));
    }
}
