//! Redis by the REST protocol of Upstash: each request is one of HTTP, to the address that has the database.

use super::client::Client;
use crate::http::client::send;
use bytes::Bytes;
use cache::rest::{self, MAX_ANSWER_BYTES, Marker, SCRIPTS_PER_REQUEST};
use cache::{Argument, CacheKey, Command, Namespace, RedisFailure, Reply, Script};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use std::cell::RefCell;

const ENCODING: HeaderName = HeaderName::from_static("upstash-encoding");
/// Says how far the primary was with an answer, so that a replica that is asked next is no further behind.
const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");

/// A database, and what is known of it.
pub struct Upstash {
    url: String,
    authorization: HeaderValue,
    marker: Marker,
    sync_token: RefCell<Option<HeaderValue>>,
}

impl Upstash {
    /// Finds out which database is there. `candidate` marks it if nobody has been there before.
    ///
    /// # Errors
    /// As every command.
    pub async fn open(
        url: &str,
        authorization: &HeaderValue,
        namespace: &Namespace,
        candidate: &str,
    ) -> Result<(Self, String), RedisFailure> {
        let sync_token = RefCell::default();
        let request = rest::command(Command::Eval, &Marker::ask(namespace, candidate))?;
        let (status, body) = post(url, "/", authorization, &sync_token, request).await?;
        let marker = Marker::found(namespace, &rest::answer(status, &body)?)?;
        let identity = format!("database/{}", marker.token);
        Ok((Self { url: url.to_owned(), authorization: authorization.clone(), marker, sync_token }, identity))
    }

    async fn post(&self, path: &'static str, body: Vec<u8>) -> Result<(u16, Bytes), RedisFailure> {
        post(&self.url, path, &self.authorization, &self.sync_token, body).await
    }

    async fn eval(&self, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        let (status, body) = self.post("/", rest::command(Command::Eval, &arguments)?).await?;
        rest::answer(status, &body)
    }
}

async fn post(
    url: &str,
    path: &'static str,
    authorization: &HeaderValue,
    sync_token: &RefCell<Option<HeaderValue>>,
    body: Vec<u8>,
) -> Result<(u16, Bytes), RedisFailure> {
    let unavailable = |problem: &str| RedisFailure::Unavailable(problem.into());
    let mut request = Request::post(format!("{url}{path}"))
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        // Without it the body goes in chunks, whose end waits 40 ms in a segment of its own.
        .header(CONTENT_LENGTH, body.len())
        .header(ENCODING, "base64");
    if let Some(token) = sync_token.borrow().clone() {
        request = request.header(SYNC_TOKEN, token);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| unavailable("redis_url is no address"))?;
    let cannot = "it cannot be reached, or redis_address does not name its host and port";
    let mut response = send(request).await.map_err(|_| unavailable(cannot))?;
    if let Some(token) = response.headers_mut().remove(SYNC_TOKEN) {
        sync_token.replace(Some(token));
    }
    let status = response.status().as_u16();
    match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(RedisFailure::too_large(MAX_ANSWER_BYTES)),
        Err(_) => Err(unavailable("its answer broke off")),
    }
}

impl Client for Upstash {
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure> {
        let (status, body) = self.post("/", rest::command(Command::Info, &[])?).await?;
        rest::answer(status, &body)
    }

    async fn execute(&self, command: Command, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        self.eval(self.marker.execute(command, arguments)).await
    }

    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure> {
        self.eval(self.marker.read(key, field)).await
    }

    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure> {
        self.eval(self.marker.guard(script)).await
    }

    fn scripts_at_once(&self) -> usize {
        SCRIPTS_PER_REQUEST
    }

    async fn run_all(&self, scripts: Vec<Script>) -> Result<Vec<Reply>, RedisFailure> {
        let commands: Vec<_> = scripts.into_iter().map(|script| self.marker.guard(script)).collect();
        let (status, body) = self.post("/pipeline", rest::pipeline(Command::Eval, &commands)?).await?;
        rest::answers(status, &body, commands.len()).map(|answers| answers.concat())
    }
}
