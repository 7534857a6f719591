//! The client of GitLab's API.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::{
    CurrentUser, Identity, TokenDetails, TokenExpiry, User,
    change::is_user_not_found,
    refusal, row, rows,
    tokens::{READING, credentials},
};
use crate::{
    config,
    gate::{CallKind, ErrorKind, Gate, Subject, UpstreamId},
    pause::WriteSwitch,
    upstream::{
        BuildError, CallError, Exchange, Fault, HttpTransport, Transport, Upstream,
        UpstreamRequest, UpstreamResponse, UpstreamSettings,
    },
};

static SETTINGS: UpstreamSettings = UpstreamSettings {
    url: "GITLAB_URL",
    authority: "gitlab.ca_file",
    credentials: "GITLAB_TOKEN",
    rights: "an administrator's token with the scope api, and admin_mode where Admin Mode is on",
};

/// Accounts on one page: GitLab gives more where it is asked for a cursor, but it costs as much a
/// row, and a long request dies with its process.
pub(super) const FULL: usize = 100;

/// Leaves out bots, ghosts, service accounts and other internal accounts.
const HUMANS: (&str, &str) = ("humans", "true");

/// The proof that a write may be made: this process runs in `mode = "apply"` and the message is not
/// dry-run. Only [`Client::permit`] makes one, and every write asks for it. A pause is not looked at
/// here but where the request is sent: it may begin between the two.
#[derive(Debug)]
pub struct WritePermit {
    _private: (),
}

/// GitLab's API as one token sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) upstream: Upstream,
    pub(super) base: Arc<Url>,
    /// `None` in dry run.
    pub(super) writes_when: Option<WriteSwitch>,
    /// The token's owner, once it is known.
    pub(super) own: Arc<Mutex<Option<Own>>>,
    /// When the token expires, once it is known.
    pub(super) expiry: Arc<Mutex<Option<TokenExpiry>>>,
}

/// Whose token it is. Another token may be another owner's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    id: u64,
    generation: u64,
}

impl Client {
    /// A client for `config`, which writes as `writes_when` allows, and in dry run (`None`) never;
    /// no call is made yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(
        config: &config::GitLabConfig,
        writes_when: Option<WriteSwitch>,
    ) -> Result<Self, BuildError> {
        let transport = Arc::new(HttpTransport::new(&config.calls)?);
        Self::over(transport, config, writes_when)
    }

    /// A client over another transport than HTTP.
    ///
    /// # Errors
    /// An address or a token that HTTP cannot carry.
    pub fn over(
        transport: Arc<dyn Transport>,
        config: &config::GitLabConfig,
        writes_when: Option<WriteSwitch>,
    ) -> Result<Self, BuildError> {
        let settings = if config.has_token_for_writing() {
            &SETTINGS
        } else {
            &READING
        };
        let token = credentials(&config.token, settings.credentials)?;
        if config.url.cannot_be_a_base() {
            return Err(BuildError::Address("GITLAB_URL"));
        }
        let line = Exchange::new(UpstreamId::GitLab, transport, config.calls.timeout);
        let upstream = Upstream::new(line, &config.calls, settings, token, writes_when.clone());
        upstream.keep_time();
        Ok(Self {
            upstream,
            base: Arc::new(config.url.clone()),
            writes_when,
            own: Arc::default(),
            expiry: Arc::default(),
        })
    }

    /// `Some` only in `mode = "apply"` and for a message that is not dry-run.
    pub fn permit(&self, message_is_dry: bool) -> Option<WritePermit> {
        (self.writes_when.is_some() && !message_is_dry).then_some(WritePermit { _private: () })
    }

    /// What holds the writes of a message back now, if it has leave to make any.
    pub fn held_by(&self, message_is_dry: bool) -> Option<WriteSwitch> {
        self.writes_when
            .as_ref()
            .filter(|_| !message_is_dry)?
            .if_held()
    }

    /// Takes `calls` from the rate budget at once, and a place among the concurrent calls, waiting
    /// until both are there. The calls of the returned client wait for neither; see
    /// [`Upstream::reserve`]. Take locks before it.
    pub async fn reserve(&self, calls: u32) -> Self {
        let upstream = self.upstream.reserve(calls).await;
        Self {
            upstream,
            base: Arc::clone(&self.base),
            writes_when: self.writes_when.clone(),
            own: Arc::clone(&self.own),
            expiry: Arc::clone(&self.expiry),
        }
    }

    /// Waits for `other`, such as the directory, and meanwhile leaves the reserved place to others.
    pub async fn aside<T>(&self, other: impl Future<Output = T>) -> T {
        self.upstream.aside(other).await
    }

    /// Requests sent by this client and the clones made of it; a reserved one counts from zero.
    pub fn calls_made(&self) -> u32 {
        self.upstream.calls_made()
    }

    /// Whether GitLab's answers do not say what time it is: no front end stands before it. Then the
    /// directory's count.
    pub fn is_without_clock(&self) -> bool {
        self.upstream.is_without_clock()
    }

    /// The gate that reads go through.
    pub fn read_gate(&self) -> Arc<Gate> {
        self.upstream.gate(CallKind::Read)
    }

    /// The gate that writes go through.
    pub fn write_gate(&self) -> Arc<Gate> {
        self.upstream.gate(CallKind::Write)
    }

    /// `GET /user`: the token's owner. Also the neutral probe.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn current_user(&self) -> Result<CurrentUser, CallError> {
        let call = UpstreamRequest::get("current_user", self.url(&["user"], &[]));
        let generation = self.upstream.credentials_generation();
        let user = self.read(&call, row::current_user).await?;
        *self.own() = Some(Own {
            id: user.id,
            generation,
        });
        Ok(user)
    }

    /// The id of the token's owner; asks only if no call of [`Self::current_user`] has told it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn own_id(&self) -> Result<u64, CallError> {
        let own = *self.own();
        match own.filter(|own| own.generation == self.upstream.credentials_generation()) {
            Some(own) => Ok(own.id),
            None => self.current_user().await.map(|user| user.id),
        }
    }

    fn own(&self) -> MutexGuard<'_, Option<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET /version`, such as `18.9.0-ee`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn version(&self) -> Result<String, CallError> {
        let call = UpstreamRequest::get("version", self.url(&["version"], &[]));
        self.read(&call, row::version).await
    }

    /// `GET /personal_access_tokens/self`; `None` where the token is of another kind (404 or 403 or
    /// 401 there).
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn token_details(&self) -> Result<Option<TokenDetails>, CallError> {
        let call = UpstreamRequest::get(
            "token_details",
            self.url(&["personal_access_tokens", "self"], &[]),
        );
        let judge = |answer: &UpstreamResponse| match answer.status.as_u16() {
            401 | 403 | 404 if answer.is_json() => Ok(None),
            _ => row::token_details(answer).map(Some),
        };
        let details = self.read(&call, judge).await?;
        if let Some(details) = &details {
            let expiry = TokenExpiry {
                token: self.upstream.credentials_setting(),
                on: details.expires_at,
            };
            expiry.count();
            *self.expiry() = Some(expiry);
        }
        Ok(details)
    }

    /// When the token expires, as the last answer to [`Self::token_details`] said; `None` while no
    /// answer has told it. Asks nothing.
    pub fn token_expiry(&self) -> Option<TokenExpiry> {
        *self.expiry()
    }

    fn expiry(&self) -> MutexGuard<'_, Option<TokenExpiry>> {
        self.expiry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET /users/:id` with custom attributes; `None` for GitLab's own JSON `404 User Not Found`,
    /// where the token still sees its own account as an administrator does.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn user(&self, id: u64) -> Result<Option<User>, CallError> {
        let query = [("with_custom_attributes", "true")];
        let call = UpstreamRequest::get("get_user", self.url(&["users", &id.to_string()], &query))
            .about(Subject::account(id));
        let judge = |answer: &UpstreamResponse| account(answer, id);
        let user = self.read(&call, judge).await?;
        if user.is_none() {
            self.prove_sight().await?;
        }
        Ok(user)
    }

    /// Before nobody is believed to be there: a token that lost its rights is told so of everybody
    /// who is blocked. The token's own account must be there, and with the keys that an
    /// administrator alone sees.
    async fn prove_sight(&self) -> Result<(), CallError> {
        let own = self.own_id().await?;
        let query = [("with_custom_attributes", "true")];
        let call = UpstreamRequest::get(
            "prove_sight",
            self.url(&["users", &own.to_string()], &query),
        );
        let judge = |answer: &UpstreamResponse| {
            if is_user_not_found(answer) {
                return Err(Fault::new(
                    ErrorKind::Forbidden,
                    "does not show the token's own account, so an account that is absent from its answers may still exist",
                ));
            }
            row::user_with(own, answer).map(drop)
        };
        self.read(&call, judge).await
    }

    /// `GET /users?username=…&humans=true`. The rows still have to be checked: filters can be
    /// ignored.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn users_by_username(&self, username: &str) -> Result<Vec<User>, CallError> {
        let filter = [("username", username), HUMANS];
        self.find("find_user_by_username", &filter).await
    }

    /// `GET /users?username=…`: bots, ghosts and service accounts, too. The rows still have to be
    /// checked.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn anything_by_username(&self, username: &str) -> Result<Vec<User>, CallError> {
        self.find("find_anything_by_username", &[("username", username)])
            .await
    }

    /// `GET /users?provider=…&extern_uid=…&humans=true`. The rows still have to be checked.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn users_by_identity(&self, identity: &Identity) -> Result<Vec<User>, CallError> {
        let filter = [
            ("provider", identity.provider.as_str()),
            ("extern_uid", identity.extern_uid.as_str()),
            HUMANS,
        ];
        self.find("find_user_by_identity", &filter).await
    }

    /// A read whose refusal tells GitLab's own reason.
    async fn read<T>(
        &self,
        call: &UpstreamRequest,
        judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
    ) -> Result<T, CallError> {
        let judge = |answer: &UpstreamResponse| {
            judge(answer).map_err(|fault| refusal::with_reason(answer, fault))
        };
        self.upstream.read(call, judge).await
    }

    async fn find(
        &self,
        operation: &'static str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<User>, CallError> {
        let about = filter
            .iter()
            .map(|(_, value)| *value)
            .collect::<Vec<_>>()
            .join(" ");
        let size = FULL.to_string();
        let mut query = filter.to_vec();
        query.extend([("with_custom_attributes", "true"), ("per_page", &size)]);
        let call = UpstreamRequest::get(operation, self.url(&["users"], &query))
            .about(Subject::new("person", about));
        let read = |answer: &UpstreamResponse| rows::users(answer, FULL);
        let rows = self.read(&call, read).await?;
        if rows.is_empty() {
            self.prove_sight().await?;
        }
        Ok(rows)
    }

    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = Url::clone(&self.base);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v4"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().clear().extend_pairs(query);
        }
        url
    }
}

/// The answer to `GET /users/:id`.
pub(super) fn account(answer: &UpstreamResponse, id: u64) -> Result<Option<User>, Fault> {
    if is_user_not_found(answer) {
        return Ok(None);
    }
    row::user_with(id, answer).map(Some)
}
