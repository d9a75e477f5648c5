//! A kept connection to a server: one request after the other, each answered or named for its failure.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use load_plan::Destination;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

/// Longer than any deadline of the system: reached only by a request that hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer is quoted of one that is no success: a problem's `detail` is in it.
const QUOTED_CHARS: usize = 300;

/// The generator's threads, one a processor. What drives it is synchronous, as the clients of PostgreSQL and Redis are.
pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().unwrap_or_else(|error| panic!("no threads: {error}")));

/// A request to send.
#[derive(Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The value of `Authorization`.
    pub authorization: HeaderValue,
    /// A body, which is JSON.
    pub body: Bytes,
}

/// What the cache did for an answer, as its `Cache-Status` says; an answer without one is a write's, or not the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// From the cache.
    Hit,
    /// Read from PostgreSQL and stored, or read by another request and shared.
    Miss,
    /// Read from PostgreSQL past the cache.
    Bypass,
    /// The answer says nothing of the cache.
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Kind {
        let Some(status) = headers.get("cache-status").and_then(|status| status.to_str().ok()) else {
            return Kind::Other;
        };
        match status {
            _ if status.contains("hit") => Kind::Hit,
            _ if status.contains("fwd=bypass") => Kind::Bypass,
            _ => Kind::Miss,
        }
    }
}

/// One answered request.
#[derive(Clone, Copy)]
pub struct Answered {
    /// From its first byte out, or in an open load from when it was due, to its last byte in; in microseconds.
    pub micros: u32,
    /// What the cache did.
    pub kind: Kind,
    /// Whether it was a write.
    pub is_write: bool,
    /// Whether it was a page of a list.
    pub is_list: bool,
}

/// A request that was not answered with success.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its class, by which failures are counted.
    pub name: String,
    /// What is known besides.
    pub detail: String,
}

impl Failure {
    fn new(name: &str, detail: impl ToString) -> Failure {
        Failure { name: name.into(), detail: detail.to_string() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

impl std::error::Error for Failure {}

/// Who is asked.
#[derive(Clone)]
pub struct Server {
    addresses: Arc<[SocketAddr]>,
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Server {
        Server { addresses: [address].into(), authority: address.to_string(), tls: None }
    }
}

impl Server {
    /// The server at this destination. Over TLS its certificate must be of an authority that this machine trusts, or that
    /// `ca_file` names.
    pub fn at(destination: &Destination, ca_file: Option<&Path>) -> Result<Server> {
        let tls = destination.is_tls.then(|| {
            let name = ServerName::try_from(destination.host.clone()).context("no certificate can be for this host")?;
            anyhow::Ok((connector(ca_file)?, name))
        });
        let Destination { authority, addresses, .. } = destination;
        Ok(Server { addresses: addresses.as_slice().into(), authority: authority.clone(), tls: tls.transpose()? })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.addresses[..]).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => sender(TokioIo::new(stream)).await?,
            Some((connector, name)) => sender(TokioIo::new(connector.connect(name.clone(), stream).await?)).await?,
        })
    }
}

fn connector(ca_file: Option<&Path>) -> Result<TlsConnector> {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let unreadable = || format!("{} holds no certificate in PEM", file.display());
        let certificates: Vec<_> = CertificateDer::pem_file_iter(file).with_context(unreadable)?.collect();
        anyhow::ensure!(!certificates.is_empty(), unreadable());
        for certificate in certificates {
            trusted.add(certificate.with_context(unreadable)?)?;
        }
    }
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = builder.with_root_certificates(trusted).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn sender<Stream>(stream: Stream) -> Result<SendRequest<Full<Bytes>>>
where
    Stream: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A client, with a connection that it keeps.
pub struct Client {
    server: Server,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that connects with its first request.
    pub fn new(server: Server) -> Client {
        Client { server, sender: None }
    }

    /// Connects, unless it is connected. A server may close a kept connection between two requests.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_ok()
        {
            return Ok(());
        }
        let connected = tokio::time::timeout(PATIENCE, self.server.connect()).await;
        let connected = connected.map_err(|_| Failure::new("cannot connect", format!("no answer in {PATIENCE:?}")))?;
        self.sender = Some(connected.map_err(|error| Failure::new("cannot connect", format!("{error:#}")))?);
        Ok(())
    }

    /// Sends a request and waits for its whole answer. In `due` is when it was to be sent, if that was to be before now: what it
    /// waited for its turn counts.
    ///
    /// A redirect is a failure like any other answer that is no success: it could lead to another host.
    pub async fn exchange(&mut self, ask: Ask, due: Option<Instant>) -> Result<(Answered, Bytes), Failure> {
        let name = format!("{} {}", ask.method, ask.target);
        let exchange = tokio::time::timeout(PATIENCE, self.exchange_patiently(ask, due)).await;
        let exchange = exchange.unwrap_or_else(|_| Err(Failure::new("no answer", format!("in {PATIENCE:?}"))));
        exchange.map_err(|failure| {
            if failure.name == "no answer" || failure.name == "broken connection" {
                self.sender = None;
            }
            Failure { detail: format!("{name}: {}", failure.detail), ..failure }
        })
    }

    async fn exchange_patiently(&mut self, ask: Ask, due: Option<Instant>) -> Result<(Answered, Bytes), Failure> {
        let broken = |error: &dyn std::error::Error| Failure::new("broken connection", sources(error));
        self.connect().await?;
        let (server, Some(sender)) = (&self.server, &mut self.sender) else {
            return Err(Failure::new("cannot connect", "no connection"));
        };
        let is_write = ask.method != Method::GET;
        let is_list = ask.target.starts_with("/api/properties?");
        let mut request = Request::builder().method(ask.method).uri(ask.target);
        request = request.header(header::HOST, &server.authority).header(header::AUTHORIZATION, ask.authorization);
        if is_write {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(ask.body)).map_err(|error| broken(&error))?;
        let began = due.unwrap_or_else(Instant::now);
        let response: Response<Incoming> = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
        let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        if !head.status.is_success() {
            return Err(Failure::new(&status(head.status), quoted(&body)));
        }
        Ok((Answered { micros, kind: Kind::of(&head.headers), is_write, is_list }, body))
    }
}

fn status(status: StatusCode) -> String {
    if status.is_redirection() { format!("{status} (redirects are not followed)") } else { status.to_string() }
}

fn quoted(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(QUOTED_CHARS).collect()
}

/// An error with what caused it: the outer text of hyper's says little.
fn sources(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncache-status: RentTracker; hit\r\ncontent-length: 2\r\n\r\n{}";

    /// A server whose certificate is for `localhost`, signed by itself: its port, and the certificate in PEM.
    async fn server() -> (u16, String) {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = rustls::crypto::ring::default_provider().into();
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], secret).expect("a configuration");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust it goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(ANSWER).await;
            }
        });
        (port, certificate.pem())
    }

    async fn asked(port: u16, name: &str, ca_file: Option<&Path>) -> Result<(Answered, Bytes), Failure> {
        let destination = Destination {
            is_tls: true,
            host: name.into(),
            authority: format!("{name}:{port}"),
            addresses: vec![([127, 0, 0, 1], port).into()],
        };
        let ask = Ask {
            method: Method::GET,
            target: "/api/properties/1".into(),
            authorization: HeaderValue::from_static("Bearer x"),
            body: Bytes::new(),
        };
        Client::new(Server::at(&destination, ca_file).expect("a server")).exchange(ask, None).await
    }

    #[test]
    fn over_tls_the_authority_and_the_name_are_verified() {
        RUNTIME.block_on(async {
            let (port, certificate) = server().await;
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), certificate).expect("written");
            let (answered, body) = asked(port, "localhost", Some(file.path())).await.expect("an answer");
            assert_eq!((answered.kind, &body[..]), (Kind::Hit, &b"{}"[..]));
            for (name, ca_file) in [("localhost", None), ("staging.example", Some(file.path()))] {
                let failure = asked(port, name, ca_file).await.err().expect("refused");
                assert!(failure.to_string().contains("invalid peer certificate"), "{name}: {failure}");
            }
        });
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "nothing").expect("written");
        let error = connector(Some(file.path())).err().map(|error| format!("{error:#}"));
        assert!(error.is_some_and(|error| error.contains("holds no certificate in PEM")));
    }
}
