//! The few requests that the drill sends.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;

/// A landlord.
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
        Client { agent: Agent::new_with_defaults(), base_url: base_url.into(), token: format!("Bearer {token}") }
    }

    /// What is there; an error unless it is answered with 200.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base_url)).header("Authorization", &self.token);
        let mut response = request.call().with_context(|| format!("GET {path}"))?;
        let header = response.headers().get("Cache-Status").and_then(|value| value.to_str().ok());
        let cache = header.and_then(|value| value.split_once("; ")).map(|(_, rest)| rest.to_owned());
        Ok(Answer { cache: cache.context("no Cache-Status")?, body: response.body_mut().read_json()? })
    }

    /// Replaces what is there.
    pub fn put(&self, path: &str, body: &Value) -> Result<()> {
        let request = self.agent.put(format!("{}{path}", self.base_url)).header("Authorization", &self.token);
        let response = request.send_json(body).with_context(|| format!("PUT {path}"))?;
        ensure!(response.status() == 200, "PUT {path} is answered with {}", response.status());
        Ok(())
    }
}
