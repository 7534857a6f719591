//! Google identity tokens, which Cloud Run asks for in front of a service that is not open to all.

use std::{env, fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::dangerous::insecure_decode_claims;
use reqwest::{
    Method, Request, StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::{
    config::CallsConfig,
    gate::{ErrorKind, UpstreamId},
    upstream::{
        BuildError, ClaimedScope, Exchange, Fault, HttpTransport, UpstreamResponse,
        UpstreamSettings,
    },
};

/// What an operator does where no token comes.
pub const ADVICE: &str = "namespaces.identity_audience asks for an identity token, which only Google Cloud's metadata server \
                          gives: run this under a service account on Google Cloud, or unset the key where what is called asks \
                          for no such token";

static SETTINGS: UpstreamSettings = UpstreamSettings {
    url: HOST,
    credentials: "namespaces.identity_audience",
    rights: "a service account",
    authority: "namespaces.ca_file",
};

/// Cloud Run reads it before `Authorization`, which stays free for the API behind it, see
/// <https://docs.cloud.google.com/run/docs/authenticating/service-to-service#acquire-token>.
const HEADER: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// The variable by which Google's own libraries find another metadata server, `host:port`.
const HOST: &str = "GCE_METADATA_HOST";
const DEFAULT_HOST: &str = "metadata.google.internal";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/identity";
/// It stands beside this machine and answers at once.
const DEADLINE: Duration = Duration::from_secs(5);
/// A token is about 1 KiB.
const MAX_BYTES: usize = 16 * 1024;

/// A token is renewed this long before it expires. The metadata server gives the same one until
/// four minutes before.
const MARGIN: SignedDuration = SignedDuration::from_mins(3);
/// Google's live for an hour; none is kept longer.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Tokens of the account of this process for one audience, each used until shortly before it
/// expires.
pub struct IdentityTokens {
    line: Exchange,
    url: Url,
    /// Held while one is fetched: who needs one meanwhile waits for that one.
    latest: Mutex<Option<Result<IdentityToken, FailedFetch>>>,
}

struct IdentityToken {
    header: HeaderValue,
    renew_at: Timestamp,
}

struct FailedFetch {
    ended: Instant,
    fault: Fault,
}

#[derive(Deserialize)]
struct Lifetime {
    #[serde(rename = "exp")]
    expires: i64,
}

impl IdentityTokens {
    /// Tokens for `audience`. Nothing is fetched before one is needed.
    ///
    /// # Errors
    /// When the client cannot be set up, or `GCE_METADATA_HOST` is no host.
    pub fn new(audience: &str) -> Result<Self, BuildError> {
        let host = env::var(HOST).ok().filter(|host| !host.is_empty());
        Self::from_host(host.as_deref().unwrap_or(DEFAULT_HOST), audience)
    }

    /// [`Self::new`], of the metadata server at `host`.
    ///
    /// # Errors
    /// As there.
    pub fn from_host(host: &str, audience: &str) -> Result<Self, BuildError> {
        let mut url =
            Url::parse(&format!("http://{host}{PATH}")).map_err(|_| BuildError::Address(HOST))?;
        url.query_pairs_mut().append_pair("audience", audience);
        let calls = CallsConfig {
            timeout: DEADLINE,
            max_response_bytes: MAX_BYTES,
            ..CallsConfig::default()
        };
        let transport = Arc::new(HttpTransport::new(&calls)?);
        Ok(Self {
            line: Exchange::new(UpstreamId::Provisioning, transport, DEADLINE),
            url,
            latest: Mutex::default(),
        })
    }

    /// The header of a request that is sent now.
    ///
    /// # Errors
    /// When no token comes: an outage of what is called, whatever the metadata server says.
    pub async fn header(&self) -> Result<(HeaderName, HeaderValue), Fault> {
        let came = Instant::now();
        let mut latest = self.latest.lock().await;
        match &*latest {
            Some(Ok(token)) if Timestamp::now() < token.renew_at => {
                return Ok((HEADER, token.header.clone()));
            }
            // It ended while this one waited.
            Some(Err(failed)) if came <= failed.ended => return Err(failed.fault.clone()),
            Some(_) | None => {}
        }
        match self.fetch().await {
            Ok(token) => {
                let header = token.header.clone();
                *latest = Some(Ok(token));
                Ok((HEADER, header))
            }
            Err(fault) => {
                let fault = of_metadata_server(fault);
                *latest = Some(Err(FailedFetch {
                    ended: Instant::now(),
                    fault: fault.clone(),
                }));
                Err(fault)
            }
        }
    }

    /// The next one is fetched anew.
    pub(super) async fn forget(&self) {
        *self.latest.lock().await = None;
    }

    async fn fetch(&self) -> Result<IdentityToken, Fault> {
        let mut request = Request::new(Method::GET, self.url.clone());
        let google = HeaderValue::from_static("Google");
        request.headers_mut().insert("metadata-flavor", google);
        let answer = self.line.send("identity_token", request).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.fault());
        }
        token(&answer, Timestamp::now())
            .ok_or_else(|| Fault::new(ErrorKind::Unreadable, "answered without a usable token"))
    }
}

/// The token that the body is, if it can be used now. Cloud Run verifies it; here it is read for
/// the time alone.
fn token(answer: &UpstreamResponse, now: Timestamp) -> Option<IdentityToken> {
    let token = answer.body.trim_ascii();
    let lifetime: Lifetime = insecure_decode_claims(token).ok()?;
    let expires = Timestamp::from_second(lifetime.expires).ok()?;
    let mut header = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    header.set_sensitive(true);
    (now < expires).then(|| IdentityToken {
        header,
        renew_at: expires.min(now + LONGEST_LIFE) - MARGIN,
    })
}

/// It is about nobody's namespace, and waiting may help: a right can be granted meanwhile.
fn of_metadata_server(fault: Fault) -> Fault {
    fault
        .of_kind(ErrorKind::Unavailable)
        .of(ClaimedScope::Everybody)
        .at("was not called: the metadata server")
        .about(&SETTINGS)
        .advising(ADVICE)
}

impl fmt::Debug for IdentityTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityTokens")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}
