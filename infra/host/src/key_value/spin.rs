//! `spin:key-value`, the asynchronous interface.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::{Failure, KeyValue, KeyValueState};
use crate::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore, Store};
use crate::streams::Received;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::AccessDenied => Self::AccessDenied,
            Failure::NoSuchStore => Self::NoSuchStore,
            Failure::Other(text) => Self::Other(text),
        }
    }
}

impl KeyValue {
    fn store<T: Send>(
        accessor: &Accessor<T, Self>,
        handle: &Resource<Store>,
    ) -> Result<std::sync::Arc<super::sqlite::Store>, Failure> {
        accessor.with(|mut access| access.get().store(handle.rep()))
    }
}

impl Host for KeyValueState {}

impl HostStore for KeyValueState {
    async fn drop(&mut self, handle: Resource<Store>) -> wasmtime::Result<()> {
        self.stores.remove(handle.rep());
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for KeyValue {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Error> {
        Ok(Resource::new_own(accessor.with(|mut access| access.get().open(&label))?))
    }

    async fn get(accessor: &Accessor<T, Self>, handle: Resource<Store>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(Self::store(accessor, &handle)?.get(&key)?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        Ok(Self::store(accessor, &handle)?.set(&key, &value)?)
    }

    async fn delete(accessor: &Accessor<T, Self>, handle: Resource<Store>, key: String) -> Result<(), Error> {
        Ok(Self::store(accessor, &handle)?.delete(&key)?)
    }

    async fn exists(accessor: &Accessor<T, Self>, handle: Resource<Store>, key: String) -> Result<bool, Error> {
        Ok(Self::store(accessor, &handle)?.get(&key)?.is_some())
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        // The interface has no place for an error here but the end of the stream, which needs the store.
        let store = Self::store(accessor, &handle).map_err(|failure| wasmtime::format_err!("{failure:?}"))?;
        let (keys, end) = store.stream_keys();
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Received(keys))?;
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(end.await?.map_err(Error::from)) })?;
            Ok((keys, end))
        })
    }
}
