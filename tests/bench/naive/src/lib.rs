//! Cache-aside as samples for this platform have it: each request opens a connection, asks Redis for what is under its path, and
//! reads PostgreSQL and stores the row when nothing is there. No token, no deadline, no lock, no fence: its answers may be stale.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::pg::{Connection as Database, ParameterValue};
use spin_sdk::redis::Connection;
use spin_sdk::variables;

/// How long a row is cached, in seconds: as long as the product's entries live.
const TTL_SECONDS: i64 = 600;
const STATEMENT: &str = "SELECT row_to_json(p)::text FROM properties p WHERE id::text = $1";

/// Answers. It is exported to WebAssembly alone, whose names no native linker takes.
#[cfg_attr(target_arch = "wasm32", spin_sdk::http_service)]
pub async fn handle(request: Request) -> Result<impl IntoResponse> {
    let path = request.uri().path().to_owned();
    let redis = Connection::open(variables::get("redis_url").await?).await?;
    let value = match redis.get(&path).await? {
        Some(value) => value,
        None => {
            let value = read(&path).await?;
            redis.set(&path, &value).await?;
            let expire = [path.into_bytes(), TTL_SECONDS.to_string().into_bytes()];
            redis.execute("EXPIRE", expire.map(spin_sdk::redis::RedisParameter::Binary)).await?;
            value
        }
    };
    Ok(Response::builder().header("content-length", value.len()).body(Full::new(Bytes::from(value)))?)
}

/// The row whose id is the last part of `path`.
async fn read(path: &str) -> Result<Vec<u8>> {
    let id = path.rsplit('/').next().unwrap_or_default();
    let database = Database::open(variables::get("database_url").await?).await?;
    let rows = database.query(STATEMENT, [ParameterValue::Str(id.to_owned())]).await?.collect().await?;
    let row = rows.into_iter().next().context("there is no such property")?;
    let json: String = row.get("row_to_json").context("no JSON")?;
    Ok(json.into_bytes())
}
