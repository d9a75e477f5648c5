#!/usr/bin/env bash
# What most would guess: an authority and a server's certificate that it signs, made by rcgen without any further setting, verify
#   wherever the authority is trusted. They do with rustls, and so in the tests of a program that is all Rust.
# What really happens: rcgen gives every certificate the same subject unless it is told another ("rcgen self signed cert"). So the
#   server's has its own name as its issuer. OpenSSL takes it for a self-signed one, does not look for the authority, and
#   refuses it: error 18, "self-signed certificate". rustls looks for an authority all the same, and finds it. Naming the
#   authority is enough for both.
# Version: rcgen 0.14.10, rustls-webpki 0.103.13 (crates registry), OpenSSL 3.0 (Debian 12).
# Source: RFC 5280, section 3.2: a self-issued certificate is one whose issuer and subject are the same; that it is self-signed is
#   another matter.
# Who is hurt: whoever tests with rustls and ships behind native-tls, libpq, curl or Python; and whoever then turns verification off.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

mkdir -p "$scratch/make/src"
cd "$scratch/make"
cat > Cargo.toml <<'TOML'
[package]
name = "make"
version = "0.1.0"
edition = "2024"
[dependencies]
rcgen = "=0.14.10"
rustls-webpki = { version = "=0.103.13", features = ["ring", "std"] }
rustls-pki-types = "1.12"
TOML
cat > src/main.rs <<'RUST'
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::UnixTime;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

fn main() {
    let name = std::env::args().nth(1);
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    if let Some(name) = name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let server = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let server = server.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    std::fs::write("authority.pem", authority.pem()).unwrap();
    std::fs::write("server.pem", server.pem()).unwrap();
    let (trusted, shown) = (authority.der().clone(), server.der().clone());
    let anchors = [anchor_from_trusted_cert(&trusted).unwrap()];
    let shown = EndEntityCert::try_from(&shown).unwrap();
    let (algorithms, usage) = (webpki::ALL_VERIFICATION_ALGS, KeyUsage::server_auth());
    let verified = shown.verify_for_usage(algorithms, &anchors, &[], UnixTime::now(), usage, None, None);
    println!("{}", if verified.is_ok() { "verified" } else { "refused" });
}
RUST
cargo build --quiet
openssl version
asked() { openssl verify -CAfile authority.pem server.pem 2>&1 | grep -o 'error 18\|: OK' | head -1; }
expect 'rustls, both by their default names' verified "$(target/debug/make)"
expect 'OpenSSL, the same files' 'error 18' "$(asked)"
expect 'rustls, the authority named' verified "$(target/debug/make 'an authority')"
expect 'OpenSSL, the same files' ': OK' "$(asked)"
