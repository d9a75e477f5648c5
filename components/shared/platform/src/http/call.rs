//! A request, with what every handler needs.

use super::wire::Unread;
use crate::auth::authenticate;
use crate::instance::Instance;
use crate::scope;
use crate::time::clock;
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rental::auth::Caller;
use rental::domain::{TenantId, Violations};
use rental::error::Error;
use rental::http::{MAX_BODY_BYTES, Route, check_body_headers, session_demand};
use std::cell::RefCell;
use std::rc::Rc;

/// A request, with what every handler needs.
pub struct Call {
    /// What the instance keeps between requests.
    pub instance: Rc<Instance>,
    /// What the path names; `None` for a path that the API does not have.
    pub route: Option<Route>,
    /// Method, path, query, and the headers that the API reads.
    pub parts: Parts,
    body: RefCell<Option<Unread>>,
}

impl Call {
    /// A request that has arrived at `instance`.
    pub fn new(instance: Rc<Instance>, route: Option<Route>, parts: Parts, body: Option<Unread>) -> Self {
        Self { instance, route, parts, body: RefCell::new(body) }
    }

    /// Verifies the token. In one region of several the request becomes part of its caller's session.
    ///
    /// # Errors
    /// Those of [`authenticate`].
    pub async fn caller(&self) -> Result<Caller, Error> {
        let authorization = self.parts.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let caller = authenticate(&self.instance, authorization).await?;
        if let Some(region) = &self.instance.config.region {
            let demand = session_demand(&region.session_key, &caller.tenant, &self.parts.headers);
            scope::begin_session(&caller.tenant, demand);
        }
        Ok(caller)
    }

    /// Verifies the token of a landlord and takes the request out of its budget. Operators have none: they are needed most
    /// when something is out of hand.
    ///
    /// # Errors
    /// Those of [`Call::caller`], and [`Error::RateLimited`].
    pub async fn tenant(&self) -> Result<TenantId, Error> {
        let tenant = self.caller().await?.tenant;
        if let Some(limit) = self.instance.config.tenant_rate_limit {
            let taken = self.instance.rate_limits.borrow_mut().take(&tenant, limit, clock::elapsed());
            // Told in whole seconds, rounded up: sooner would be too early.
            taken.map_err(|wait| Error::RateLimited(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))?;
        }
        Ok(tenant)
    }

    /// Reads the body of a POST or PUT, which must be JSON of at most [`MAX_BODY_BYTES`].
    ///
    /// # Errors
    /// Those of [`check_body_headers`], and the same for what the body turns out to be.
    pub async fn body(&self) -> Result<Bytes, Error> {
        check_body_headers(&self.parts.headers)?;
        let Some(body) = self.body.take() else {
            return Ok(Bytes::new());
        };
        let cannot = |error: &dyn std::fmt::Display| Violations::one("body", format!("cannot be read: {error}"));
        let body = body.open().map_err(|error| cannot(&error))?;
        match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
            Err(error) => Err(cannot(&error).into()),
        }
    }
}
