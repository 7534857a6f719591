use std::{env, error::Error, fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Request, Response, redirect::Policy};

use super::Answer;
use crate::config;

/// The longest wait for a connection. Shorter than a call's deadline, so that "cannot reach it" and
/// "reached it, no answer" are told apart.
const CONNECT: Duration = Duration::from_secs(5);

/// What carries a request and brings the whole answer. In service this is [`Wire`]; tests under virtual time script one.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` once.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, TransportError>>;
}

/// Why there is no answer. The text tells no address: queries hold usernames and identities.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection was made, so nothing was asked.
    #[error("no connection could be made")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The connection broke before the whole answer was there.
    #[error("the connection broke before the whole answer was there")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The answer is larger than this many bytes; the rest was not read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// The HTTP client could not be built, or the configured address cannot carry paths.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS or the client's set-up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
    /// Such as `mailto:`.
    #[error("{0} is not an address that HTTP paths can be added to")]
    Address(&'static str),
    /// Credentials that no header can hold.
    #[error("{0} holds characters that no HTTP header can carry")]
    Credentials(&'static str),
    /// A directory file that cannot be used as it is.
    #[error("{0}")]
    File(#[source] Box<dyn Error + Send + Sync>),
}

/// The usual variables that name a proxy for `https://`, first come first.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// HTTP over real sockets: rustls, no redirects, bounded bodies. A proxy carries TLS or nothing.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client,
    max_bytes: usize,
}

impl Wire {
    /// A client for one upstream.
    ///
    /// # Errors
    /// [`BuildError::Client`].
    pub fn new(calls: &config::Calls) -> Result<Self, BuildError> {
        let client = client_builder()
            .and_then(|client| client.connect_timeout(CONNECT.min(calls.timeout)).build())
            .map_err(BuildError::Client)?;
        Ok(Self {
            client,
            max_bytes: calls.max_response_bytes,
        })
    }

    async fn body(&self, mut response: Response) -> Result<Bytes, TransportError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len().saturating_add(chunk.len()) > self.max_bytes {
                return Err(TransportError::TooLarge(self.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, TransportError>> {
        Box::pin(async move {
            let mut response = self.client.execute(request).await.map_err(broken)?;
            let status = response.status();
            let headers = std::mem::take(response.headers_mut());
            let body = self.body(response).await?;
            Ok(Answer {
                status,
                headers,
                body,
            })
        })
    }
}

/// What every client of this service shares: no redirects, no retries of its own, and a proxy for TLS alone.
///
/// # Errors
/// When a variable names a proxy that is none.
pub(crate) fn client_builder() -> Result<ClientBuilder, reqwest::Error> {
    let direct = Client::builder()
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy();
    Ok(match proxy()? {
        Some(proxy) => direct.proxy(proxy),
        None => direct,
    })
}

/// The proxy for `https://` addresses. Plain `http://` is for this machine alone, and a proxy of it, such as
/// `HTTP_PROXY` would name, would read the token.
fn proxy() -> Result<Option<Proxy>, reqwest::Error> {
    let named = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let address = PROXY_VARIABLES.into_iter().find_map(named);
    let proxy = address.map(Proxy::https).transpose()?;
    Ok(proxy.map(|proxy| proxy.no_proxy(NoProxy::from_env())))
}

fn broken(error: reqwest::Error) -> TransportError {
    let connecting = error.is_connect();
    let error = Box::new(error.without_url());
    if connecting {
        TransportError::Connect(error)
    } else {
        TransportError::Broken(error)
    }
}
