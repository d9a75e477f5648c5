//! A client: one request after another, each answer judged when it comes.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness::http::{Connection, Failure, Reply, request};
use harness::random::Random;
use harness::regions::{Read, Time};
use serde::Deserialize;
use serde_json::json;

use crate::run::{Property, Run, Tenant};
use crate::stage::{HOSTS, REGIONS};

/// The pages that are asked for: each is a field of the list's hash.
const PAGES: [&str; 2] = ["?pageSize=50", "?pageSize=50&sortDescending=true"];
/// Of a thousand reads so many are of a page.
const LISTS_PERMILLE: u64 = 120;
/// Between two looks whether a region has hosts again, or is asked again.
const PAUSE: Duration = Duration::from_millis(2);

/// A client.
pub struct Client<'a> {
    /// What it takes part in.
    pub run: &'a Run,
    /// Its choices.
    pub random: Random,
    connections: [[Connection; HOSTS]; REGIONS.len()],
    session: Option<Session>,
}

/// What a client carries from one answer to the next request.
#[derive(Default)]
struct Session {
    /// A token is good for one.
    tenant: usize,
    /// Of the last answer.
    token: Option<String>,
    /// What the last request was sent with.
    sent: Option<String>,
    /// The newest version that it has read or written of each property.
    seen: HashMap<usize, u64>,
}

/// How a request went.
enum Sent {
    /// There is an answer, which is not 503.
    Answered { reply: Reply, start: Time, end: Time, host: usize },
    /// It was certainly not carried out.
    Nothing,
    /// It may have been carried out.
    Unknown,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    address: String,
    row_version: u64,
}

/// The address that a write with this content has.
fn address(content: u64) -> String {
    format!("{content} Counter Street")
}

/// The content of an address.
pub fn content(address: &str) -> Option<u64> {
    address.strip_suffix(" Counter Street")?.parse().ok()
}

impl<'a> Client<'a> {
    /// One whose requests have nothing to do with each other.
    pub fn new(run: &'a Run, number: usize) -> Client<'a> {
        let random = Random::new(run.seed.wrapping_mul(1_000).wrapping_add(1 + number as u64));
        Client { run, random, connections: Default::default(), session: None }
    }

    /// A landlord's that sends the token of the last answer.
    pub fn with_session(run: &'a Run, number: usize, tenant: usize) -> Client<'a> {
        let session = Some(Session { tenant, ..Session::default() });
        Client { session, ..Client::new(run, number) }
    }

    /// The landlord of the session, or any.
    fn tenant(&mut self) -> &'a Tenant {
        let any = self.random.index(self.run.tenants.len());
        &self.run.tenants[self.session.as_ref().map_or(any, |session| session.tenant)]
    }

    /// Reads a property or a page in a region.
    pub fn read(&mut self, region: usize) {
        let tenant = self.tenant();
        if self.random.permille(LISTS_PERMILLE) {
            return self.read_page(region, tenant);
        }
        let property = &tenant.properties[self.random.index(tenant.properties.len())];
        self.read_one(region, tenant, property);
    }

    /// Reads a property.
    pub fn read_one(&mut self, region: usize, tenant: &Tenant, property: &Property) {
        let target = format!("/api/properties/{}", property.id);
        let sent = self.send(region, "GET", tenant, &target, None);
        let Sent::Answered { reply, start, end, host } = sent else { return };
        let row: Option<Row> = match reply.status {
            200 => serde_json::from_slice(&reply.body).ok(),
            404 => None,
            _ => return self.unexpected("GET", &target, &reply),
        };
        self.run.count(region, reply.cache, false, self.session.is_some());
        self.judge(region, property, row.as_ref(), &reply, (start, end), host);
    }

    /// Reads a page of a landlord's properties, which are all there.
    fn read_page(&mut self, region: usize, tenant: &Tenant) {
        let target = format!("/api/properties{}", PAGES[self.random.index(PAGES.len())]);
        let sent = self.send(region, "GET", tenant, &target, None);
        let Sent::Answered { reply, start, end, host } = sent else { return };
        let page: Page = match serde_json::from_slice(&reply.body) {
            Ok(page) if reply.status == 200 => page,
            _ => return self.unexpected("GET", &target, &reply),
        };
        self.run.count(region, reply.cache, true, self.session.is_some());
        for property in &tenant.properties {
            let row = page.items.iter().find(|row| row.id == property.id);
            self.judge(region, property, row, &reply, (start, end), host);
        }
    }

    fn judge(
        &mut self,
        region: usize,
        property: &Property,
        row: Option<&Row>,
        reply: &Reply,
        (start, end): (Time, Time),
        host: usize,
    ) {
        let (version, content) = row.map_or((0, None), |row| (row.row_version, content(&row.address)));
        let seen = self.session.as_mut().map(|session| session.seen.entry(property.index).or_default());
        let floor = seen.as_ref().map_or(0, |seen| **seen);
        if let Some(seen) = seen {
            *seen = version.max(*seen);
        }
        let (cache, session) = (reply.cache, &self.session);
        self.run.judge(property, Read { region, start, version, content }, floor, || {
            let token = |session: &Session| format!("a session with {}", session.sent.as_deref().unwrap_or("no token"));
            let who = session.as_ref().map_or_else(|| "a reader".into(), token);
            format!("{} to {} µs, {who} in {} (host {host}), {cache:?}:", start / 1_000, end / 1_000, REGIONS[region])
        });
    }

    /// Creates a property with this id, before anybody else asks for it.
    pub fn create(&mut self, region: usize, token: &str, index: usize) -> Option<Property> {
        let content = self.run.new_content();
        let tenant = Tenant { token: token.to_owned(), properties: Vec::new() };
        let body = json!({ "address": address(content) }).to_string();
        let Sent::Answered { reply, end, .. } = self.send(region, "POST", &tenant, "/api/properties", Some(&body))
        else {
            return None;
        };
        let row: Row = serde_json::from_slice(&reply.body).ok()?;
        let property = Property::new(row.id, index);
        property.known().key.answered(row.row_version, content, region, end).ok()?;
        Some(property)
    }

    /// Replaces any property in a region.
    pub fn write(&mut self, region: usize) {
        let tenant = self.tenant();
        let property = &tenant.properties[self.random.index(tenant.properties.len())];
        self.put(region, tenant, property);
        // Its own region shows it at once.
        self.read_one(region, tenant, property);
    }

    fn put(&mut self, region: usize, tenant: &Tenant, property: &Property) {
        let (run, content) = (self.run, self.run.new_content());
        let (target, body) =
            (format!("/api/properties/{}", property.id), json!({ "address": address(content) }).to_string());
        property.known().key.begin(content);
        match self.send(region, "PUT", tenant, &target, Some(&body)) {
            Sent::Answered { reply, start, end, host } if reply.status == 200 && reply.version.is_some() => {
                let version = reply.version.unwrap_or_default();
                run.counters.writes.fetch_add(1, Ordering::Relaxed);
                let mut known = property.known();
                let line = format!(
                    "{} to {} µs, written in {} (host {host}): version {version}",
                    start / 1_000,
                    end / 1_000,
                    REGIONS[region]
                );
                if let Err(fault) = known.key.answered(version, content, region, end) {
                    run.finding(fault, property, &known, &line);
                }
                known.remember(line);
                drop(known);
                if let Some(session) = &mut self.session {
                    let seen = session.seen.entry(property.index).or_default();
                    *seen = version.max(*seen);
                }
            }
            Sent::Answered { reply, .. } => {
                property.known().key.refused(content);
                self.unexpected("PUT", &target, &reply);
            }
            Sent::Nothing => property.known().key.refused(content),
            Sent::Unknown => {
                run.counters.unknown.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn unexpected(&self, method: &str, target: &str, reply: &Reply) {
        let text = String::from_utf8_lossy(&reply.body);
        self.run.failure(&format!("{method} {target}: {}, {text}", reply.status));
    }

    fn send(&mut self, region: usize, method: &str, tenant: &Tenant, target: &str, body: Option<&str>) -> Sent {
        let (run, host) = (self.run, self.random.index(HOSTS));
        if run.is_quiet[region].load(Ordering::SeqCst) {
            std::thread::sleep(PAUSE);
            return Sent::Nothing;
        }
        let node = &run.stage.regions[region].nodes[host];
        let (port, generation) = node.address();
        if port == 0 {
            std::thread::sleep(PAUSE);
            return Sent::Nothing;
        }
        let token = self.session.as_ref().and_then(|session| session.token.clone());
        let bytes = request(method, target, &tenant.token, token.as_deref(), body);
        if let Some(session) = &mut self.session {
            session.sent = token;
        }
        let start = run.now();
        let answer = self.connections[region][host].exchange(port, &bytes);
        let end = run.now();
        match answer {
            Ok(mut reply) => {
                let token = reply.session.take();
                if reply.status < 500 && token.is_none() {
                    run.failure(&format!("{method} {target} in {}: an answer without a token", REGIONS[region]));
                }
                if let (Some(session), Some(token)) = (&mut self.session, token) {
                    session.token = Some(token);
                }
                if reply.status < 500 {
                    return Sent::Answered { reply, start, end, host };
                }
                if reply.status == 503 && (run.is_lenient(start) || run.is_lenient(end)) {
                    run.counters.unavailable.fetch_add(1, Ordering::Relaxed);
                } else {
                    let place = format!("{method} {target} in {}, host {host}", REGIONS[region]);
                    let (status, took) = (reply.status, (end - start) / 1_000_000);
                    run.failure(&format!(
                        "{place}: {status} after {took} ms, {}",
                        String::from_utf8_lossy(&reply.body)
                    ));
                }
                Sent::Unknown
            }
            Err(failure) => {
                if node.address().1 == generation {
                    run.failure(&format!("{method} {target} in {}, host {host}: {failure}", REGIONS[region]));
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
