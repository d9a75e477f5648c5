//! A client: one request after another, on any host, each answer judged when it comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Deserialize;

use crate::http::{Connection, Failure, Reply, request};
use crate::key::{Event, Fault, Floor, GONE, Key};
use crate::places::{Property, Tenant};
use crate::random::Random;
use crate::run::Run;

/// The pages that are asked for: each is a field of the list's hash.
const PAGES: [&str; 4] =
    ["?pageSize=50", "?pageSize=50&sortField=suburb", "?pageSize=50&sortDescending=true", "?pageSize=49"];

/// A client.
pub struct Client<'a> {
    /// What it takes part in.
    pub run: &'a Run,
    /// Its choices.
    pub random: Random,
    number: usize,
    nodes: Vec<usize>,
    connections: Vec<Connection>,
    /// The newest version that it has seen of each key.
    seen: HashMap<u32, u64>,
}

/// How a request went.
pub enum Sent {
    /// There is an answer below 500.
    Answered(Reply, Event),
    /// It was certainly not carried out.
    Nothing,
    /// It may have been carried out.
    Unknown,
}

/// A page of a list, as far as the history cares.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Item>,
    has_next_page: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    row_version: u64,
}

impl<'a> Client<'a> {
    /// A client that uses these hosts.
    pub fn new(run: &'a Run, number: usize, nodes: &[usize]) -> Client<'a> {
        let random = Random::new(run.seed.wrapping_add(1 + number as u64));
        let connections = run.cluster.nodes.iter().map(|_| Connection::default()).collect();
        Client { run, random, number, nodes: nodes.to_vec(), connections, seen: HashMap::new() }
    }

    /// One request, mostly a read.
    pub fn step(&mut self, writes_permille: u64) {
        let run = self.run;
        let tenant = &run.tenants[self.random.index(run.tenants.len())];
        if self.random.permille(writes_permille) {
            return self.write_something(tenant);
        }
        self.read_something(tenant);
    }

    /// Reads one property, one payment, a page, or something that was deleted.
    pub fn read_something(&mut self, tenant: &Tenant) {
        let Some(property) = tenant.any_property(&mut self.random) else {
            return;
        };
        match self.random.below(100) {
            0..45 => self.read_one(tenant, &property.path(), &property.key),
            45..70 => {
                let payment = {
                    let payments = property.payments();
                    let index = self.random.index(payments.len().max(1));
                    payments.get(index).cloned()
                };
                if let Some(payment) = payment {
                    self.read_one(tenant, &property.payment_path(&payment), &payment);
                }
            }
            70..83 => self.read_properties(tenant),
            83..97 => self.read_payments(tenant, &property),
            _ => {
                if let Some((path, key)) = tenant.any_dead(&mut self.random) {
                    self.read_one(tenant, &path, &key);
                }
            }
        }
    }

    /// Reads one property or payment.
    pub fn read_one(&mut self, tenant: &Tenant, path: &str, key: &Key) {
        let floor = key.floor();
        let Sent::Answered(reply, mut event) = self.send("GET one", tenant, path, None) else {
            return;
        };
        self.run.counters.singles.fetch_add(1, Ordering::Relaxed);
        self.run.count(reply.cache);
        let in_body = number_behind(&reply.body, b"\"rowVersion\":");
        event.version = match reply.status {
            200 if reply.version.is_some() && reply.version == in_body => in_body.unwrap_or_default(),
            404 => GONE,
            status => {
                let (tag, text) = (reply.version, String::from_utf8_lossy(&reply.body));
                return self.run.failure(&format!("GET {path}: {status}, tag {tag:?}, {text}"));
            }
        };
        self.judge(key, floor, event, number_behind(&reply.body, b"content-"));
    }

    /// Reads a page of a tenant's properties.
    pub fn read_properties(&mut self, tenant: &Tenant) {
        let expected = tenant.properties();
        let expected: Vec<_> =
            expected.iter().map(|property| (Arc::clone(&property.key), property.key.floor())).collect();
        let target = format!("/api/properties{}", PAGES[self.random.index(PAGES.len())]);
        let Sent::Answered(reply, event) = self.send("GET list", tenant, &target, None) else {
            return;
        };
        self.run.counters.lists.fetch_add(1, Ordering::Relaxed);
        self.run.count(reply.cache);
        self.judge_page(tenant, &target, &reply, &event, &expected);
    }

    /// Reads a page of a property's payments.
    pub fn read_payments(&mut self, tenant: &Tenant, property: &Property) {
        let expected: Vec<_> = property.payments().iter().map(|key| (Arc::clone(key), key.floor())).collect();
        let floor = property.key.floor();
        let target = format!("{}?pageSize=50", property.payments_path());
        let Sent::Answered(reply, mut event) = self.send("GET list", tenant, &target, None) else {
            return;
        };
        self.run.counters.lists.fetch_add(1, Ordering::Relaxed);
        self.run.count(reply.cache);
        if reply.status != 404 {
            return self.judge_page(tenant, &target, &reply, &event, &expected);
        }
        event.version = GONE;
        self.judge(&property.key, floor, event.clone(), None);
        for (key, floor) in &expected {
            self.judge(key, *floor, event.clone(), None);
        }
    }

    fn judge_page(
        &mut self,
        tenant: &Tenant,
        target: &str,
        reply: &Reply,
        event: &Event,
        expected: &[(Arc<Key>, Floor)],
    ) {
        let page: Page = match serde_json::from_slice(&reply.body) {
            Ok(page) if reply.status == 200 => page,
            _ => {
                let text = String::from_utf8_lossy(&reply.body);
                return self.run.failure(&format!("GET {target}: {}, {text}", reply.status));
            }
        };
        for item in &page.items {
            // One whose creation has not been answered yet, or never was.
            let Some(key) = tenant.known(&item.id) else { continue };
            let floor = expected.iter().find(|(its, _)| its.index == key.index).map(|(_, floor)| *floor);
            let gone = || if key.was_gone_at(event.start) { GONE } else { 0 };
            let floor = floor.unwrap_or_else(|| Floor { answered: gone(), seen: gone() });
            self.judge(&key, floor, Event { version: item.row_version, ..event.clone() }, None);
        }
        if page.has_next_page {
            return;
        }
        for (key, floor) in expected {
            if !page.items.iter().any(|item| item.id == key.id) {
                self.judge(key, *floor, Event { version: GONE, ..event.clone() }, None);
            }
        }
    }

    fn judge(&mut self, key: &Key, floor: Floor, event: Event, content: Option<u64>) {
        self.run.counters.judged.fetch_add(1, Ordering::Relaxed);
        let seen = self.seen.entry(key.index).or_default();
        let verdict = key.judge(floor, *seen, event.version, content);
        let before = *seen;
        if event.version != GONE || key.may_be_gone() {
            *seen = (*seen).max(event.version);
        }
        let text = format!("{event:?}, {floor:?}, its client had seen {before}");
        key.remember(event);
        if let Err(fault) = verdict {
            self.run.finding(fault, key, &text);
        }
    }

    /// What this client has written it has seen.
    pub fn note(&mut self, key: &Key, version: u64) {
        let seen = self.seen.entry(key.index).or_default();
        *seen = (*seen).max(version);
    }

    /// A write that was answered with this version.
    pub fn put_answered(&mut self, key: &Key, mut event: Event, version: u64, content: u64) {
        event.version = version;
        let verdict = key.put_answered(version, content);
        self.note(key, version);
        let text = format!("{event:?}");
        key.remember(event);
        if verdict.is_err() {
            self.run.finding(Fault::Twice, key, &text);
        }
    }

    /// Sends a request to one of its hosts.
    pub fn send(&mut self, what: &'static str, tenant: &Tenant, target: &str, body: Option<&str>) -> Sent {
        let node = self.nodes[self.random.index(self.nodes.len())];
        self.send_to(node, what, tenant, target, body)
    }

    /// Sends a request to this host.
    pub fn send_to(
        &mut self,
        node: usize,
        what: &'static str,
        tenant: &Tenant,
        target: &str,
        body: Option<&str>,
    ) -> Sent {
        let run = self.run;
        let host = &run.cluster.nodes[node];
        let (port, generation) = host.address();
        if port == 0 {
            std::thread::sleep(std::time::Duration::from_micros(200));
            return Sent::Nothing;
        }
        let method = what.split(' ').next().unwrap_or_default();
        let start = run.now();
        let answer = self.connections[node].exchange(port, &request(method, target, &tenant.token, None, body));
        let end = run.now();
        let slowest = if method == "GET" { &run.counters.slowest_read } else { &run.counters.slowest_write };
        match answer {
            Ok(reply) => {
                slowest.fetch_max((end - start) / 1_000, Ordering::Relaxed);
                if reply.status == 503 && method != "GET" && run.writes_may_be_unknown.load(Ordering::SeqCst) {
                    return Sent::Unknown;
                }
                if reply.status >= 500 {
                    let text = String::from_utf8_lossy(&reply.body);
                    run.failure(&format!(
                        "{method} {target} on host {node}: {} after {} ms, {text}",
                        reply.status,
                        (end - start) / 1_000_000
                    ));
                    return Sent::Unknown;
                }
                let cache = reply.cache;
                Sent::Answered(reply, Event { what, client: self.number, node, start, end, version: 0, cache })
            }
            Err(failure) => {
                if host.address().1 == generation {
                    run.failure(&format!("{method} {target} on host {node}: {failure}"));
                } else {
                    run.counters.excused.fetch_add(1, Ordering::Relaxed);
                }
                match failure {
                    Failure::NotSent(_) => Sent::Nothing,
                    Failure::Unknown(_) => Sent::Unknown,
                }
            }
        }
    }
}

/// The number that follows `marker`.
pub fn number_behind(text: &[u8], marker: &[u8]) -> Option<u64> {
    let at = text.windows(marker.len()).position(|window| window == marker)? + marker.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut number = None;
    for digit in digits {
        number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    number
}
