//! The credentials of each request.

use std::fmt;

use futures::future::BoxFuture;
use reqwest::header::{HeaderName, HeaderValue};

use super::{Credential, Fault};

/// Puts the credentials on each request of an upstream.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// The header of the next request, or `None` where the upstream asks for none.
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>>;

    /// The header that something in front of the upstream asks for beside its own, or `None`: a
    /// platform that lets only known accounts through.
    fn front_header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Called when a request with `used` was answered 401. True if the next [`Authorize::header`]
    /// is a fresh one, so that the same request is worth one more attempt.
    fn renew<'a>(&'a self, used: &'a HeaderValue) -> BoxFuture<'a, bool>;

    /// How often the credentials were replaced by others, whose owner may be another.
    fn generation(&self) -> u64 {
        0
    }
}

/// The same header on each request: a token or a password, which changes only with the file that it
/// stands in.
#[derive(Debug)]
pub struct SecretHeader {
    name: HeaderName,
    credential: Credential,
}

impl SecretHeader {
    /// `credential` under `name`.
    pub fn new(name: HeaderName, credential: Credential) -> Self {
        Self { name, credential }
    }
}

impl Authorize for SecretHeader {
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(async move { Ok(Some((self.name.clone(), self.credential.value().await))) })
    }

    fn renew<'a>(&'a self, used: &'a HeaderValue) -> BoxFuture<'a, bool> {
        Box::pin(self.credential.renew(used))
    }

    fn generation(&self) -> u64 {
        self.credential.generation()
    }
}
