//! The API gateway's access token: OAuth 2 client credentials (RFC 6749, 4.4).

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared, ready},
};
use reqwest::{
    Method, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::Deserialize;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use crate::{
    gate::ErrorKind,
    upstream::{
        Authorize, Credential, Exchange, Fault, LenientValue, UpstreamResponse, UpstreamSettings,
    },
};

static SETTINGS: UpstreamSettings = UpstreamSettings {
    url: "LOOKUP_TOKEN_URL",
    credentials: "LOOKUP_CLIENT_ID and LOOKUP_CLIENT_SECRET",
    rights: "a client that may ask for tokens",
    authority: "directory.ca_file",
};

/// A token is renewed this long before it expires, as Cambridge's own client does.
const MARGIN: Duration = Duration::from_secs(20);
/// The life of a token that does not tell it.
const DEFAULT_LIFE: u64 = 60;
/// No token is trusted longer than a day.
const LONGEST_LIFE: u64 = 86_400;

/// Fetches a token when one is needed, once for all who need it, and shares it.
pub(super) struct TokenSource {
    inner: Arc<TokenFetcher>,
}

struct TokenFetcher {
    line: Exchange,
    url: Url,
    client: Credential,
    form: String,
    state: Mutex<TokenCache>,
}

#[derive(Default)]
struct TokenCache {
    current: Option<CachedToken>,
    /// The fetch under way: all who come meanwhile share its one attempt, its one deadline and its
    /// end, whatever that is. Polled by all of them, so that it goes on when some stop waiting, and
    /// gone when nobody waits.
    fetching: Option<WeakShared<Fetch>>,
}

type Fetch = BoxFuture<'static, Result<HeaderValue, Fault>>;

#[derive(Clone)]
struct CachedToken {
    header: HeaderValue,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Grant<'a> {
    #[serde(borrow, default)]
    access_token: LenientValue<'a>,
    #[serde(borrow, default)]
    expires_in: LenientValue<'a>,
}

impl TokenSource {
    /// `client` is the Basic header of the client's id and secret.
    pub(super) fn new(line: Exchange, url: Url, client: Credential, scope: Option<&str>) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = scope {
            form.append_pair("scope", scope);
        }
        let form = form.finish();
        let inner = TokenFetcher {
            line,
            url,
            client,
            form,
            state: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    async fn token(&self) -> Result<HeaderValue, Fault> {
        let fetch = match self.inner.usable_or_fetch() {
            Ok(header) => return Ok(header),
            Err(fetch) => fetch,
        };
        fetch.await
    }
}

impl TokenFetcher {
    /// The token that can be used, or the fetch of one to wait for.
    fn usable_or_fetch(self: &Arc<Self>) -> Result<HeaderValue, Shared<Fetch>> {
        let mut state = self.state();
        let usable = state
            .current
            .as_ref()
            .filter(|token| token.renew_at > Instant::now());
        if let Some(token) = usable {
            return Ok(token.header.clone());
        }
        // One that has ended already is not waited for: its end was for those who waited.
        let under_way = state.fetching.as_ref().and_then(WeakShared::upgrade);
        if let Some(fetch) = under_way.filter(|fetch| fetch.peek().is_none()) {
            return Err(fetch);
        }
        let fetch = Arc::clone(self).fetch_for_all().boxed().shared();
        state.fetching = fetch.downgrade();
        Err(fetch)
    }

    async fn fetch_for_all(self: Arc<Self>) -> Result<HeaderValue, Fault> {
        let token = self.fetch().await.map_err(of_endpoint)?;
        let header = token.header.clone();
        self.state().current = Some(token);
        Ok(header)
    }

    /// Asks once; and once more where the client's secret was refused and its file holds another
    /// one.
    async fn fetch(&self) -> Result<CachedToken, Fault> {
        let used = self.client.value().await;
        let fetched = self.fetch_as(&used).await;
        match fetched {
            Err(fault)
                if fault.kind() == ErrorKind::Unauthenticated && self.client.renew(&used).await =>
            {
                self.fetch_as(&self.client.value().await).await
            }
            fetched => fetched,
        }
    }

    async fn fetch_as(&self, client: &HeaderValue) -> Result<CachedToken, Fault> {
        let answer = self.line.send("token", self.request(client)).await?;
        grant(&answer)
    }

    fn request(&self, client: &HeaderValue) -> Request {
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, client.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        *request.body_mut() = Some(self.form.clone().into());
        request
    }

    fn state(&self) -> MutexGuard<'_, TokenCache> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorize for TokenSource {
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(async move { Ok(Some((AUTHORIZATION, self.token().await?))) })
    }

    fn renew<'a>(&'a self, used: &'a HeaderValue) -> BoxFuture<'a, bool> {
        // Somebody else may have renewed it already; then theirs is the fresh one.
        let mut state = self.inner.state();
        state.current.take_if(|token| token.header == used);
        Box::pin(ready(true))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("url", &self.inner.url.as_str())
            .finish_non_exhaustive()
    }
}

fn grant(answer: &UpstreamResponse) -> Result<CachedToken, Fault> {
    // RFC 6749 5.2: a refused client is told so with 400 as well as with 401.
    if matches!(answer.status.as_u16(), 400 | 401 | 403) && answer.is_json() {
        return Err(answer.fault().of_kind(ErrorKind::Unauthenticated));
    }
    let grant: Grant<'_> = answer.json()?;
    let life = grant
        .expires_in
        .whole_number()
        .unwrap_or(DEFAULT_LIFE)
        .min(LONGEST_LIFE);
    let life = Duration::from_secs(life);
    let token = grant.access_token.text().filter(|token| !token.is_empty());
    let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    let mut header = header.ok_or_else(|| {
        Fault::new(
            ErrorKind::Unreadable,
            "answered without a usable access_token",
        )
    })?;
    header.set_sensitive(true);
    // A short-lived token still has to live for a while, or every request would fetch one.
    Ok(CachedToken {
        header,
        renew_at: Instant::now() + life.saturating_sub(MARGIN).max(life / 2),
    })
}

fn of_endpoint(fault: Fault) -> Fault {
    fault.at("token endpoint").about(&SETTINGS)
}
