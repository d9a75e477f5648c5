//! The properties that a load asks for: those that are there, and those that it makes and deletes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::{HeaderValue, Method};
use serde_json::Value;
use uuid::Uuid;

use super::say;
use crate::load::{Ask, Client, RUNTIME};
use crate::workload::{Property, address};

/// The address of everything that a load makes ends with this, and with a number of its own.
const MARK: &str = "load-test-";
/// How many of the properties that are there are asked for at most: two hundred pages are read to know them.
const MAX_EXISTING: usize = 10_000;
/// How often it is tried to delete what was made, and how long between: a host that restarts is back by then.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// By what the properties of one load are known.
pub struct Mark(Uuid);

impl Mark {
    /// One that nothing has.
    pub fn new() -> Mark {
        Mark(Uuid::new_v4())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{MARK}{}", self.0)
    }
}

/// Whose properties they are.
pub struct Landlord {
    authorization: HeaderValue,
    payment_method: String,
}

/// The requests before and after the load.
pub struct Session(pub Client);

impl Session {
    fn ask(&mut self, authorization: &HeaderValue, method: Method, target: String, body: String) -> Result<Value> {
        let ask = Ask { method, target, authorization: authorization.clone(), body: body.into() };
        let (_, body) = RUNTIME.block_on(self.0.exchange(ask, None))?;
        Ok(if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).context("the answer is no JSON")?
        })
    }

    fn get(&mut self, landlord: &HeaderValue, target: &str) -> Result<Value> {
        self.ask(landlord, Method::GET, target.to_owned(), String::new())
    }

    /// Whose token it is.
    pub fn landlord(&mut self, token: &str) -> Result<Landlord> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).context("a token is no header")?;
        authorization.set_sensitive(true);
        let methods = self.get(&authorization, "/api/paymentmethods")?;
        let payment_method = methods[0]["id"].as_str().context("there are no payment methods")?.to_owned();
        let earlier = self.get(&authorization, &format!("/api/properties?pageSize=1&searchTerm={MARK}"))?;
        let earlier = earlier["totalCount"].as_u64().context("the list has no totalCount")?;
        if earlier > 0 {
            say(format!("{earlier} properties are of a load test that still runs or was killed; search for {MARK}"));
        }
        Ok(Landlord { authorization, payment_method })
    }

    /// What the landlord has: to be read, and never to be written.
    pub fn existing(&mut self, landlord: &Landlord) -> Result<Vec<Property>> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&landlord.authorization, &format!("/api/properties?pageSize=50&after={after}"))?;
            found.extend(ids(&page)?.into_iter().map(|id| Property {
                authorization: landlord.authorization.clone(),
                id,
                payment_method: None,
            }));
            match page["nextCursor"].as_str() {
                Some(next) if found.len() < MAX_EXISTING => after = next.to_owned(),
                Some(_) => {
                    say(format!("a landlord has more than {MAX_EXISTING} properties: the first of them are read"));
                    return Ok(found);
                }
                None => return Ok(found),
            }
        }
    }

    /// Makes so many properties.
    pub fn make(&mut self, landlord: &Landlord, count: u16, mark: &Mark, stop: &AtomicBool) -> Result<Vec<Property>> {
        let mut made = Vec::new();
        for number in 0..count.into() {
            ensure!(!stop.load(Ordering::SeqCst), "interrupted while it made its properties");
            let body = address(number, &mark.to_string());
            let property = self.ask(&landlord.authorization, Method::POST, "/api/properties".into(), body);
            let property = property.context("no property could be made")?;
            made.push(Property {
                authorization: landlord.authorization.clone(),
                id: property["id"].as_str().context("a property without an id")?.to_owned(),
                payment_method: Some(landlord.payment_method.clone()),
            });
        }
        Ok(made)
    }

    /// Deletes all that has this mark, also what was made though nobody was told of it.
    pub fn remove(&mut self, landlords: &[Landlord], mark: &Mark) -> Result<()> {
        for landlord in landlords {
            let mut removed = self.remove_once(landlord, mark);
            for _ in 1..ATTEMPTS {
                if removed.is_ok() {
                    break;
                }
                std::thread::sleep(PAUSE);
                removed = self.remove_once(landlord, mark);
            }
            removed.with_context(|| format!("properties were left behind: search for {mark}, and delete them"))?;
        }
        Ok(())
    }

    fn remove_once(&mut self, landlord: &Landlord, mark: &Mark) -> Result<()> {
        let authorization = &landlord.authorization;
        loop {
            let page = self.get(authorization, &format!("/api/properties?pageSize=50&searchTerm={mark}"))?;
            let ids = ids(&page)?;
            if ids.is_empty() {
                return Ok(());
            }
            for id in ids {
                self.ask(authorization, Method::DELETE, format!("/api/properties/{id}"), String::new())?;
            }
        }
    }
}

fn ids(page: &Value) -> Result<Vec<String>> {
    let items = page["items"].as_array().context("the answer is no page")?;
    items.iter().map(|item| Ok(item["id"].as_str().context("a property without an id")?.to_owned())).collect()
}
