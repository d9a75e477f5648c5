//! Connection pools: one per address, of Spin's size. A connection is cleaned between two users as Spin cleans it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How many connections an address has.
const POOL_SIZE: usize = 64;

/// For how many addresses a pool is kept; the least recently used one is dropped for another.
const POOLS: usize = 16;

/// One component's pools: Spin shares none between components.
#[derive(Default)]
pub struct Pools(Mutex<VecDeque<(Key, Pool)>>);

type Key = (String, Option<String>);

impl Pools {
    /// Takes a connection to `address`, a connection string, out of its pool. Waits as long as none is free.
    pub async fn connect(&self, address: &str, authority: Option<&str>) -> Result<Object> {
        let pool = self.pool(address, authority).context("establishing PostgreSQL connection pool")?;
        Ok(pool.get().await?)
    }

    fn pool(&self, address: &str, authority: Option<&str>) -> Result<Pool> {
        let key = (address.to_owned(), authority.map(str::to_owned));
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match pools.iter().position(|(other, _)| *other == key) {
            Some(index) => pools.remove(index).context("the pool is there")?,
            None => (key, new_pool(address, authority)?),
        };
        let pool = entry.1.clone();
        pools.push_front(entry);
        pools.truncate(POOLS);
        Ok(pool)
    }
}

fn new_pool(address: &str, authority: Option<&str>) -> Result<Pool> {
    let config: tokio_postgres::Config = address.parse().context("parsing Postgres connection string")?;
    // `Clean` resets the session, but does not ROLLBACK: an open transaction goes to the next user. Spin's behaviour,
    // kept on purpose: a component that holds a transaction open must misbehave here as it does there.
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Clean };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, manager_config)
    } else {
        Manager::from_config(config, MakeRustlsConnect::new(tls(authority)?), manager_config)
    };
    Pool::builder(manager).max_size(POOL_SIZE).build().context("building Postgres connection pool")
}

/// TLS that trusts the system's authorities, and the component's own if it gave one.
fn tls(authority: Option<&str>) -> Result<rustls::ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in authority.map(check_authority).transpose()?.into_iter().flatten() {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Reads a certificate in PEM form.
pub fn check_authority(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    ensure!(!certificates.is_empty(), "it holds no certificate");
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_pool_and_the_oldest_makes_room() {
        let pools = Pools::default();
        let address = |number: usize| format!("host=127.0.0.1 port=1 user=u{number} sslmode=disable");
        for number in 0..POOLS {
            pools.pool(&address(number), None).unwrap();
        }
        pools.pool(&address(0), None).unwrap();
        assert_eq!(pools.0.lock().unwrap().len(), POOLS, "an address that is known makes no new pool");
        pools.pool(&address(POOLS), None).unwrap();
        let kept: Vec<_> = pools.0.lock().unwrap().iter().map(|((address, _), _)| address.clone()).collect();
        assert_eq!(kept.len(), POOLS);
        assert!(
            kept.contains(&address(0)) && !kept.contains(&address(1)),
            "the one that was not used for longest went"
        );
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(check_authority("nonsense").is_err());
    }
}
