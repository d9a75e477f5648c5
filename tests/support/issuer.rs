//! Someone who issues tokens under keys of its own, and publishes them as a JWKS.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use ed25519_dalek::Signer as _;
use rsa::BoxedUint;
use serde_json::{Value, json};
use sha2::Sha256;

use super::token;

/// The primes of the RSA key of RFC 7515 (A.2): making one takes a debug build too long.
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";

/// A private key with a name.
pub struct SigningKey {
    /// Its `kid`.
    pub id: String,
    kind: Kind,
}

enum Kind {
    Rsa(Box<rsa::PrivateKey>),
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl SigningKey {
    /// For RS256.
    pub fn rsa(id: &str) -> SigningKey {
        let number = |text| {
            let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url");
            BoxedUint::from_be_slice_vartime(&bytes)
        };
        let key = rsa::PrivateKey::from_p_q(number(RSA_P), number(RSA_Q), 65_537_u64.into()).expect("a key");
        SigningKey { id: id.into(), kind: Kind::Rsa(Box::new(key)) }
    }

    /// A new one, for ES256.
    pub fn p256(id: &str) -> SigningKey {
        SigningKey { id: id.into(), kind: Kind::P256(p256::ecdsa::SigningKey::from_slice(&random()).expect("a key")) }
    }

    /// A new one, for EdDSA.
    pub fn ed25519(id: &str) -> SigningKey {
        SigningKey { id: id.into(), kind: Kind::Ed25519(ed25519_dalek::SigningKey::from_bytes(&random())) }
    }

    /// The name of its algorithm.
    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Rsa(_) => "RS256",
            Kind::P256(_) => "ES256",
            Kind::Ed25519(_) => "EdDSA",
        }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        use rsa::traits::PublicKeyParts;
        match &self.kind {
            Kind::Rsa(key) => {
                let modulus = key.n().to_be_bytes();
                json!({ "kty": "RSA", "kid": self.id, "n": token::encode(modulus), "e": "AQAB", "use": "sig" })
            }
            Kind::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = (point.x().expect("a point"), point.y().expect("a point"));
                json!({ "kty": "EC", "kid": self.id, "crv": "P-256", "x": token::encode(x), "y": token::encode(y) })
            }
            Kind::Ed25519(key) => {
                let x = key.verifying_key().to_bytes();
                json!({ "kty": "OKP", "kid": self.id, "crv": "Ed25519", "x": token::encode(x), "alg": "EdDSA" })
            }
        }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.algorithm(), "kid": self.id, "typ": "JWT" }).to_string(), &claims.to_string())
    }

    /// The same, whatever the header says.
    pub fn sign_as(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", token::encode(header), token::encode(payload));
        let message = signed.as_bytes();
        let signature = match &self.kind {
            Kind::Rsa(key) => key.pkcs1v15_sign::<Sha256>(message).expect("signs"),
            Kind::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Kind::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        };
        format!("{signed}.{}", token::encode(signature))
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    for half in bytes.chunks_mut(16) {
        half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    bytes
}

/// The public keys as a set.
pub fn jwks(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

/// What the address of the keys does with a request.
#[derive(Clone)]
pub enum Behaviour {
    /// Answers with this status, these further headers and this body.
    Answer(u16, &'static str, Arc<Vec<u8>>),
    /// Reads it and says nothing.
    Silence,
    /// Closes the connection.
    HangUp,
    /// Sends a body without end.
    Endless,
}

impl Behaviour {
    /// Answers 200 with this body.
    pub fn body(body: impl Into<Vec<u8>>) -> Behaviour {
        Behaviour::Answer(200, "Content-Type: application/json\r\n", Arc::new(body.into()))
    }
}

/// An address that keys are fetched from. Dropping it closes it.
pub struct KeyServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    requests: AtomicUsize,
    is_over: AtomicBool,
}

impl KeyServer {
    /// On a free port of the loopback interface.
    pub fn start(behaviour: Behaviour) -> KeyServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(behaviour),
            requests: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming().flatten().take_while(|_| !own.is_over.load(Ordering::SeqCst)) {
                    let own = &own;
                    // What the client thinks of it is seen at the client.
                    scope.spawn(move || drop(own.serve(stream)));
                }
            });
        });
        KeyServer { address, shared, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does this from now on.
    pub fn now(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// How often it was asked.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the one that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        if self.is_over.load(Ordering::SeqCst) {
            return Ok(());
        }
        let behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if matches!(behaviour, Behaviour::HangUp) {
            self.requests.fetch_add(1, Ordering::SeqCst);
            return stream.shutdown(Shutdown::Both);
        }
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            self.read(&mut stream, &mut request)?;
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        match behaviour {
            Behaviour::Answer(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n", body.len());
                stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
                stream.write_all(&body)
            }
            Behaviour::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"keys\":[")?;
                while !self.is_over.load(Ordering::SeqCst) {
                    stream.write_all(&[b' '; 4096])?;
                }
                Ok(())
            }
            // Until the client has enough of it.
            Behaviour::Silence | Behaviour::HangUp => self.read(&mut stream, &mut request),
        }
    }

    /// Some bytes more; an error at the end of the connection, or of the server.
    fn read(&self, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let mut piece = [0; 1024];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    bytes.extend_from_slice(&piece[..count]);
                    return Ok(());
                }
                Err(error) if self.is_over.load(Ordering::SeqCst) => return Err(error),
                Err(_) => {}
            }
        }
    }
}
