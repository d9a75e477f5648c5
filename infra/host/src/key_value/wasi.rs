//! `wasi:keyvalue`: buckets, batches, increments and compare-and-swap. Its calls are synchronous: while one
//! waits, the instance and all its requests wait.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::sqlite::Cas as Comparison;
use super::{Failure, KeyValueState, Swap};
use crate::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::bindings::wasi::keyvalue::batch;
use crate::bindings::wasi::keyvalue::store::{self, Bucket, Error, KeyResponse};

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::AccessDenied => Self::AccessDenied,
            Failure::NoSuchStore => Self::NoSuchStore,
            Failure::Other(text) => Self::Other(text),
        }
    }
}

impl store::Host for KeyValueState {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        Ok(Resource::new_own(KeyValueState::open(self, &identifier)?))
    }
}

impl store::HostBucket for KeyValueState {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.store(bucket.rep())?.get(&key)?)
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        Ok(self.store(bucket.rep())?.set(&key, &value)?)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
        Ok(self.store(bucket.rep())?.delete(&key)?)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
        Ok(self.store(bucket.rep())?.get(&key)?.is_some())
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<String>) -> Result<KeyResponse, Error> {
        if cursor.is_some() {
            return Err(Error::Other("list_keys: cursor not supported".into()));
        }
        Ok(KeyResponse { keys: self.store(bucket.rep())?.keys()?, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.stores.remove(bucket.rep());
        Ok(())
    }
}

impl batch::Host for KeyValueState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        let store = self.store(bucket.rep())?;
        if keys.is_empty() { Ok(Vec::new()) } else { Ok(store.get_many(keys)?) }
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let store = self.store(bucket.rep())?;
        if pairs.is_empty() { Ok(()) } else { Ok(store.set_many(pairs)?) }
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), Error> {
        let store = self.store(bucket.rep())?;
        if keys.is_empty() { Ok(()) } else { Ok(store.delete_many(keys)?) }
    }
}

impl KeyValueState {
    fn swap(&self, handle: &Resource<Cas>) -> Result<Swap, Error> {
        let swap = self.swaps.get(handle.rep()).cloned();
        swap.ok_or_else(|| Error::Other("compare and swap not found".into()))
    }

    fn keep(&mut self, swap: Swap) -> Result<Resource<Cas>, Error> {
        let number = self.swaps.push(swap);
        number.map(Resource::new_own).map_err(|_| Error::Other("too many compare_and_swaps opened".into()))
    }
}

impl atomics::Host for KeyValueState {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> Result<i64, Error> {
        Ok(self.store(bucket.rep())?.increment(&key, delta)?)
    }

    async fn swap(&mut self, handle: Resource<Cas>, value: Vec<u8>) -> Result<(), CasError> {
        let Swap { store, cas } = KeyValueState::swap(self, &handle).map_err(CasError::StoreError)?;
        if cas.swap(&store, &value).map_err(|failure| CasError::StoreError(failure.into()))? {
            return Ok(());
        }
        // The next attempt gets a swap that has read the value that made this one fail.
        let next = Comparison::new(cas.key().to_owned());
        next.current(&store).map_err(|failure| CasError::StoreError(failure.into()))?;
        let next = self.keep(Swap { store, cas: Arc::new(next) }).map_err(CasError::StoreError)?;
        Err(CasError::CasFailed(next))
    }
}

impl atomics::HostCas for KeyValueState {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Resource<Cas>, Error> {
        let store = self.store(bucket.rep())?;
        self.keep(Swap { store, cas: Arc::new(Comparison::new(key)) })
    }

    async fn current(&mut self, handle: Resource<Cas>) -> Result<Option<Vec<u8>>, Error> {
        let Swap { store, cas } = KeyValueState::swap(self, &handle)?;
        Ok(cas.current(&store)?)
    }

    async fn drop(&mut self, handle: Resource<Cas>) -> wasmtime::Result<()> {
        self.swaps.remove(handle.rep());
        Ok(())
    }
}
