//! HTTP over real sockets, or over a script in tests.

use std::{error::Error, fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::{Client, ClientBuilder, Request, Response, redirect::Policy};

use super::{
    UpstreamResponse,
    proxy::{self, BehindProxy},
};
use crate::config;

/// The longest wait for a connection. Shorter than a call's deadline, so that "cannot reach it" and
/// "reached it, no answer" are told apart.
const CONNECT: Duration = Duration::from_secs(5);

/// What carries a request and brings the whole answer. In service this is [`HttpTransport`]; tests
/// under virtual time script one.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` once.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>>;
}

/// Why there is no answer. The text tells no address: queries hold usernames and identities.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection was made, so nothing was asked.
    #[error("no connection could be made")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The connection broke before the whole answer was there.
    #[error("the connection broke before the answer was complete")]
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
    /// A variable that should name a proxy. What it says is not repeated: it may hold a password.
    #[error(
        "{0} names an invalid proxy; allowed: an http:// or https:// address, such as http://proxy.example.ac.uk:3128"
    )]
    Proxy(&'static str),
    /// A directory file that cannot be used as it is.
    #[error("{0}")]
    File(#[source] Box<dyn Error + Send + Sync>),
}

/// HTTP over real sockets: rustls, no redirects, bounded bodies. A proxy carries TLS or nothing.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
    max_bytes: usize,
    /// The variable that names a proxy, if one does.
    proxy: Option<&'static str>,
}

impl HttpTransport {
    /// A client for one upstream.
    ///
    /// # Errors
    /// [`BuildError::Client`], or [`BuildError::Proxy`].
    pub fn new(calls: &config::CallsConfig) -> Result<Self, BuildError> {
        let client = client_builder(calls.authority.as_ref())?
            .connect_timeout(CONNECT.min(calls.timeout))
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self {
            client,
            max_bytes: calls.max_response_bytes,
            proxy: proxy::named()?.map(|proxy| proxy.variable),
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

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        Box::pin(async move {
            let proxy = self.proxy.filter(|_| request.url().scheme() == "https");
            let answered = self.client.execute(request).await;
            let mut response = answered.map_err(|error| beside(proxy, broken(error)))?;
            let status = response.status();
            let headers = std::mem::take(response.headers_mut());
            let body = self.body(response).await?;
            Ok(UpstreamResponse {
                status,
                headers,
                body,
            })
        })
    }
}

/// What every client of this service shares: no redirects, no retries of its own, a proxy for TLS
/// alone, and the system's authorities with `authority` beside them.
///
/// # Errors
/// When a variable names an invalid proxy, or `authority` holds no certificates.
pub(crate) fn client_builder(
    authority: Option<&config::CertificateAuthority>,
) -> Result<ClientBuilder, BuildError> {
    let mut client = Client::builder()
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy();
    if let Some(authority) = authority {
        let certificates = reqwest::Certificate::from_pem_bundle(authority.pem().as_bytes())
            .map_err(BuildError::Client)?;
        client = client.tls_certs_merge(certificates);
    }
    Ok(match proxy::named()? {
        Some(proxy) => client.proxy(proxy.reqwest()?),
        None => client,
    })
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

/// Where no connection came about, a proxy may be why.
fn beside(proxy: Option<&'static str>, error: TransportError) -> TransportError {
    match (proxy, error) {
        (Some(variable), TransportError::Connect(source)) => {
            TransportError::Connect(Box::new(BehindProxy { variable, source }))
        }
        (_, error) => error,
    }
}
