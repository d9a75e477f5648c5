//! What a world tells its operator.

use serde_json::Value;

use super::World;

impl World {
    /// The epoch of its cache.
    pub fn epoch(&self) -> u64 {
        self.administrator().get("/api/cache/breaker").is(200).json()["epoch"].as_u64().expect("an epoch")
    }

    /// The value of a series in `/metrics`, 0 when it is not told.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.get("/metrics").is(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().expect("a whole number"))
    }

    /// Its health: status and body as everyone sees them, and the reason of the database's state, which an Admin sees.
    pub fn health(&self) -> (u16, Value, Value) {
        let public = self.get("/api/health");
        let told = self.administrator().get("/api/health").json();
        (public.status, public.json(), told["databaseReason"].clone())
    }
}
