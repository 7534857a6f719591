use std::fmt;

use futures::future::BoxFuture;
use reqwest::header::{HeaderName, HeaderValue};

use super::Fault;

/// Puts the credentials on each request of an upstream.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// The header of the next request, or `None` where the upstream asks for none.
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>>;

    /// Called when a request with `used` was answered 401. True if the next [`Authorize::header`] is a fresh one,
    /// so that the same request is worth one more attempt.
    fn renew(&self, used: &HeaderValue) -> bool;
}

/// The same header on each request: a token or a password that does not change.
#[derive(Clone, Debug)]
pub struct FixedHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl FixedHeader {
    /// `None` if `secret` holds characters that no header can carry. The value is marked sensitive: no `Debug` shows it.
    pub fn new(name: HeaderName, secret: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(secret).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }
}

impl Authorize for FixedHeader {
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(async move { Ok(Some((self.name.clone(), self.value.clone()))) })
    }

    fn renew(&self, _used: &HeaderValue) -> bool {
        false
    }
}
