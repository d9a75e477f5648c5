//! Telling the component `aggregator` what an instance has counted.

use crate::http::client::send;
use crate::instance::Instance;
use crate::time::within;
use bytes::Bytes;
use http_body_util::Full;
use rental::metrics::Totals;
use std::time::Duration;

/// Where the private component is reached, inside the host.
const AGGREGATOR: &str = "http://aggregator.spin.internal";
/// How long telling may take. No request waits for it, but it keeps the instance alive.
const DEADLINE: Duration = Duration::from_secs(2);

/// Tells `aggregator` what was counted.
///
/// # Errors
/// For the log.
pub async fn tell(instance: &Instance, counted: &Totals) -> Result<(), String> {
    let body = serde_json::to_vec(counted).map_err(|error| error.to_string())?;
    let request = http::Request::post(format!("{AGGREGATOR}/{}", instance.config.namespace.name()))
        .header(http::header::CONTENT_LENGTH, body.len())
        .body(Full::new(Bytes::from(body)));
    let sending = send(request.map_err(|error| error.to_string())?);
    match within(DEADLINE, sending).await {
        Some(Ok(response)) if response.status().is_success() => Ok(()),
        Some(Ok(response)) => Err(format!("aggregator answered {}", response.status().as_u16())),
        Some(Err(error)) => Err(format!("aggregator cannot be reached: {error:?}")),
        None => Err("aggregator did not answer within the deadline".into()),
    }
}
