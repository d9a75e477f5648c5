//! The few requests that a drill sends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;
use ureq::http::HeaderMap;

/// Longer than any deadline of the system.
const PATIENCE: Duration = Duration::from_secs(30);

/// A landlord.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base_url: String,
    token: String,
}

/// An answer.
pub struct Answer {
    pub body: Value,
    /// `Cache-Status`, behind the name of the cache.
    pub cache: String,
}

impl Client {
    pub fn new(base_url: &str, token: &str) -> Client {
        let agent = Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        Client { agent, base_url: base_url.into(), token: format!("Bearer {token}") }
    }

    /// What is there; an error unless it is answered with 200.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base_url)).header("Authorization", &self.token);
        let mut response = request.call().with_context(|| format!("GET {path}"))?;
        let cache = text(response.headers(), "Cache-Status");
        let cache = cache.and_then(|value| value.split_once("; ")).map(|(_, rest)| rest.to_owned());
        Ok(Answer { cache: cache.context("no Cache-Status")?, body: response.body_mut().read_json()? })
    }

    /// Replaces what is there.
    pub fn put(&self, path: &str, body: &Value) -> Result<()> {
        let request = self.agent.put(format!("{}{path}", self.base_url)).header("Authorization", &self.token);
        let response = request.send_json(body).with_context(|| format!("PUT {path}"))?;
        ensure!(response.status() == 200, "PUT {path} is answered with {}", response.status());
        Ok(())
    }

    /// Whether pages of this origin may read the answers.
    pub fn admits(&self, origin: &str) -> Result<bool> {
        let response = self.agent.get(format!("{}/livez", self.base_url)).header("Origin", origin).call()?;
        Ok(text(response.headers(), "Access-Control-Allow-Origin") == Some(origin))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
