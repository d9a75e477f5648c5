//! An authority of a test's own, and servers that it vouches for.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Files in PEM form, in a folder.
pub struct Certificates {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's.
    pub server: PathBuf,
    /// The server's secret key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes an authority, and a certificate by it for a server of this name or address.
    pub fn new(folder: &Path, server_name: &str) -> Certificates {
        std::fs::create_dir_all(folder).expect("a folder");
        let mut params = CertificateParams::new(vec![]).expect("no name to be wrong");
        // OpenSSL, and so Spin, takes a certificate whose subject is its issuer's for a self-signed one, and all of rcgen's have
        // one subject unless they are told another.
        params.distinguished_name.push(DnType::CommonName, format!("the authority for {server_name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![server_name.to_owned()]).expect("a name");
        let server = params.signed_by(&key, &authority).expect("signed");
        let file = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        Certificates {
            authority: file("authority.pem", authority.pem()),
            server: file("server.pem", server.pem()),
            key: file("server.key", key.serialize_pem()),
        }
    }
}
