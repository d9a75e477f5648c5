//! What landlords do: a few properties are asked for often and most seldom (Zipf), a quarter of the reads are of a list, and
//! a few requests are writes.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use http::{HeaderValue, Method};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

use crate::load::{Ask, Next};

/// Which share of the reads are of the first page of a list.
const LIST_SHARE: f64 = 0.25;
const PAGE: &str = "/api/properties?pageSize=50";

/// A property that is asked for.
#[derive(Clone)]
pub struct Property {
    /// Its landlord.
    pub authorization: HeaderValue,
    /// Its id.
    pub id: String,
    /// How payments to it are made; `None` where nothing may be written.
    pub payment_method: Option<String>,
}

/// What is asked, and how often.
pub struct Workload {
    /// From the one that is asked for most to the one that is asked for least.
    pub properties: Vec<Property>,
    /// Which share of the requests are reads.
    pub read_share: f64,
    /// Zipf's exponent.
    pub exponent: f64,
    /// What a written address ends with.
    pub street: String,
    /// The same number, the same requests.
    pub seed: u64,
}

impl Workload {
    /// The n-th request: a landlord reads a property or the first page of the list, or writes the property or a payment.
    pub fn requests(self) -> Result<Next> {
        let zipf = |properties: &[Property]| {
            let zipf = Zipf::new(properties.len() as f64, self.exponent);
            zipf.map_err(|error| anyhow!("{} properties cannot be asked for: {error}", properties.len()))
        };
        let writable: Vec<Property> =
            self.properties.iter().filter(|property| property.payment_method.is_some()).cloned().collect();
        let reads = zipf(&self.properties)?;
        let writes = (self.read_share < 1.0).then(|| zipf(&writable).context("nothing may be written")).transpose()?;
        let Workload { properties, read_share, street, seed, .. } = self;
        Ok(Arc::new(move |_, turn| {
            let mut random = StdRng::seed_from_u64(seed ^ (turn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            match &writes {
                Some(zipf) if !random.random_bool(read_share) => {
                    write(&writable[rank(zipf, &mut random)], turn, &street, &mut random)
                }
                _ => read(&properties[rank(&reads, &mut random)], &mut random),
            }
        }))
    }
}

fn rank(zipf: &Zipf<f64>, random: &mut StdRng) -> usize {
    zipf.sample(random) as usize - 1
}

fn read(property: &Property, random: &mut StdRng) -> Ask {
    let is_list = random.random_bool(LIST_SHARE);
    let target = if is_list { PAGE.to_owned() } else { format!("/api/properties/{}", property.id) };
    ask(Method::GET, target, property, String::new())
}

fn write(property: &Property, turn: usize, street: &str, random: &mut StdRng) -> Ask {
    let target = format!("/api/properties/{}", property.id);
    match &property.payment_method {
        Some(method) if random.random_bool(0.5) => {
            let body = format!(r#"{{"amount":512.5,"paymentDate":"2025-03-01","paymentMethodId":"{method}"}}"#);
            ask(Method::POST, target + "/payments", property, body)
        }
        _ => ask(Method::PUT, target, property, address(turn, street)),
    }
}

/// A property that has this address, as JSON.
pub fn address(number: usize, street: &str) -> String {
    format!(r#"{{"address":"{number} {street}","weeklyRentAmount":512.5}}"#)
}

fn ask(method: Method, target: String, property: &Property, body: String) -> Ask {
    Ask { method, target, authorization: property.authorization.clone(), body: body.into() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const REQUESTS: usize = 20_000;

    fn workload(read_share: f64, exponent: f64) -> Vec<Ask> {
        let property = |number: usize| Property {
            authorization: HeaderValue::from_static("Bearer x"),
            id: number.to_string(),
            // Every other one may be written.
            payment_method: number.is_multiple_of(2).then(|| "cash".to_owned()),
        };
        let properties = (0..100).map(property).collect();
        let next = Workload { properties, read_share, exponent, street: "Street".into(), seed: 1 }.requests();
        let next = next.unwrap_or_else(|error| panic!("{error:#}"));
        (0..REQUESTS).map(|turn| next(0, turn)).collect()
    }

    fn share(asks: &[Ask], of: impl Fn(&Ask) -> bool) -> f64 {
        asks.iter().filter(|ask| of(ask)).count() as f64 / asks.len() as f64
    }

    fn id(ask: &Ask) -> Option<usize> {
        ask.target.split('/').nth(3)?.parse().ok()
    }

    #[test]
    fn reads_and_lists_have_their_shares() {
        let asks = workload(0.9, 1.0);
        let reads: Vec<Ask> = asks.iter().filter(|ask| ask.method == Method::GET).cloned().collect();
        assert!((share(&asks, |ask| ask.method == Method::GET) - 0.9).abs() < 0.02);
        assert!((share(&reads, |ask| ask.target == PAGE) - LIST_SHARE).abs() < 0.02);
        assert_eq!(share(&workload(1.0, 1.0), |ask| ask.method == Method::GET), 1.0);
        assert_eq!(share(&workload(0.0, 1.0), |ask| ask.method == Method::GET), 0.0);
    }

    #[test]
    fn properties_are_asked_for_as_zipf_says() {
        let asked = |exponent| {
            let mut asked = BTreeMap::<usize, f64>::new();
            workload(1.0, exponent).iter().filter_map(id).for_each(|id| *asked.entry(id).or_default() += 1.0);
            move |id| asked.get(&id).copied().unwrap_or_default()
        };
        // With the exponent 1 the second is asked for half as often as the first, and the tenth a tenth as often.
        let zipf = asked(1.0);
        assert!((zipf(1) / zipf(0) - 0.5).abs() < 0.1, "{} {}", zipf(0), zipf(1));
        assert!((zipf(9) / zipf(0) - 0.1).abs() < 0.05, "{} {}", zipf(0), zipf(9));
        let even = asked(0.0);
        assert!((even(99) / even(0) - 1.0).abs() < 0.4, "{} {}", even(0), even(99));
    }

    #[test]
    fn only_what_may_be_written_is_written() {
        let asks = workload(0.0, 1.0);
        assert!(asks.iter().filter_map(id).all(|id| id.is_multiple_of(2)));
        assert!((share(&asks, |ask| ask.method == Method::PUT) - 0.5).abs() < 0.02);
        let untouchable =
            Property { authorization: HeaderValue::from_static("x"), id: "1".into(), payment_method: None };
        let workload =
            Workload { properties: vec![untouchable], read_share: 0.5, exponent: 1.0, street: String::new(), seed: 1 };
        assert!(workload.requests().is_err());
    }

    #[test]
    fn the_same_seed_asks_the_same() {
        let targets = || workload(0.5, 1.0).into_iter().map(|ask| ask.target).collect::<Vec<_>>();
        assert_eq!(targets(), targets());
    }
}
