//! A GitLab as its users API behaves, read in GitLab's source at 18.9: the state table with its bodies, what a token
//! without administrator's rights sees, cursors, booleans in every spelling.

mod account;
mod answers;
mod attribute_calls;
mod attributes;
mod by_hand;
mod filters;
mod hidden;
mod kinds;
mod pages;
mod rows;
mod states;
mod store;
mod tokens;
mod users;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State as Shared},
    http::{HeaderMap, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{
    control::{Control, RateLimit, Refusal, lock},
    server::{Bound, Running},
};

pub use account::{Account, RowError};
pub use attributes::Attributes;
pub use by_hand::ChangeError;
pub use hidden::{Deletion, Hidden};
pub use kinds::{Identity, Kind, State};
pub use states::Action;
pub use tokens::{Token, TokenChange};

use store::Store;
use tokens::Caller;

/// The username of the service's own account in GitLab.
pub const OWNER: &str = "lookup-gitlab-sync";

/// The secret of the administrator's token.
pub const ADMINISTRATORS_TOKEN: &str = "simulated-administrators-token";

/// The secret of a token of the same account without administrator's rights.
pub const REDUCED_TOKEN: &str = "simulated-reduced-token";

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The accounts. One named [`OWNER`] owns the tokens; if there is none it is added, with id 1 where that is free
    /// and else behind the last.
    pub accounts: Vec<Account>,
    /// Added to each answer.
    pub latency: Duration,
    /// GitLab's own limit, off by default as it is there.
    pub rate_limit: Option<RateLimit>,
}

/// A running GitLab; it stops when dropped.
#[derive(Debug)]
pub struct GitLab {
    app: App,
    control: Control,
    running: Option<Running>,
}

type App = Arc<Server>;

#[derive(Debug)]
struct Server {
    store: Mutex<Store>,
    url: String,
    owner: u64,
}

impl GitLab {
    /// Binds the port and serves.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let bound = Bound::new(settings.port).await?;
        let mut gitlab = Self::assemble(settings, bound.url());
        let Self { app, control, .. } = &gitlab;
        let router = api(app).merge(by_hand::routes(Arc::clone(app)));
        gitlab.running = Some(bound.serve(control.around(router), control.stopping()));
        Ok(gitlab)
    }

    /// Without a socket: only [`Self::router`] reaches it.
    pub fn in_memory(settings: Settings) -> Self {
        Self::assemble(settings, "http://gitlab.example".to_owned())
    }

    fn assemble(settings: Settings, url: String) -> Self {
        let mut accounts: BTreeMap<u64, Account> = settings
            .accounts
            .into_iter()
            .map(|account| (account.id, account))
            .collect();
        let owner = ensure_owner(&mut accounts);
        let tokens = [(ADMINISTRATORS_TOKEN, true), (REDUCED_TOKEN, false)]
            .map(|(secret, admin)| (secret.to_owned(), Token::new(owner, admin)))
            .into();
        let store = Mutex::new(Store {
            accounts,
            tokens,
            maintenance: false,
            restorations: Vec::new(),
        });
        let refusal = Refusal {
            answer: answers::retry_later,
            headers: true,
        };
        Self {
            app: Arc::new(Server { store, url, owner }),
            control: Control::new(settings.latency, settings.rate_limit, refusal),
            running: None,
        }
    }

    /// `http://127.0.0.1:port`, to which clients add `/api/v4`.
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// The administrator's token.
    pub fn token(&self) -> &'static str {
        ADMINISTRATORS_TOKEN
    }

    /// The id of the account that owns the tokens.
    pub fn owner(&self) -> u64 {
        self.app.owner
    }

    /// Faults, latency and the record of requests.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// All accounts as they are now.
    pub fn snapshot(&self) -> BTreeMap<u64, Account> {
        self.app.store().accounts.clone()
    }

    /// One account as it is now.
    pub fn account(&self, id: u64) -> Option<Account> {
        self.app.store().accounts.get(&id).cloned()
    }

    /// What `PUT /simulate/users/{id}` does: merges keys of a row into the account, or creates it; a change of state
    /// is put down to `by`, or else to another administrator, and to `at` or now.
    ///
    /// # Errors
    ///
    /// When a value is not possible, or an account to be created has no username.
    pub fn change_user(&self, id: u64, change: Value) -> Result<(), ChangeError> {
        by_hand::change(&mut self.app.store(), self.app.owner, id, change)
    }

    /// Deletes an account; says whether it was there.
    pub fn delete_user(&self, id: u64) -> bool {
        lock(&self.app.store).accounts.remove(&id).is_some()
    }

    /// Changes a token, or makes one of the same owner without administrator's rights.
    pub fn change_token(&self, secret: &str, change: TokenChange) {
        let mut store = lock(&self.app.store);
        store
            .tokens
            .entry(secret.to_owned())
            .or_insert_with(|| Token::new(self.app.owner, false))
            .change(change);
    }

    /// Maintenance mode: reads are answered, writes are not.
    pub fn set_maintenance(&self, enabled: bool) {
        lock(&self.app.store).maintenance = enabled;
    }

    /// What it serves, for callers within this process: no socket, no faults, no latency, no record of requests.
    pub fn router(&self) -> Router {
        api(&self.app)
    }

    /// Lets the requests under way end, and stops.
    ///
    /// # Errors
    ///
    /// When the server's task failed or panicked.
    pub async fn stop(self) -> io::Result<()> {
        match self.running {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }
}

impl Server {
    /// Everything as it is now.
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = lock(&self.store);
        store.catch_up(Timestamp::now());
        store
    }

    /// Answers as the token's owner may be answered.
    fn as_caller(
        &self,
        headers: &HeaderMap,
        answer: impl FnOnce(&mut Store, Caller) -> Response,
    ) -> Response {
        let mut store = self.store();
        match store.authenticate(headers, today()) {
            Ok(caller) => answer(&mut store, caller),
            Err(refusal) => *refusal,
        }
    }

    fn as_administrator(
        &self,
        headers: &HeaderMap,
        answer: impl FnOnce(&mut Store, Caller) -> Response,
    ) -> Response {
        self.as_caller(headers, |store, caller| {
            if caller.admin {
                answer(store, caller)
            } else {
                answers::forbidden()
            }
        })
    }
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}

/// The account that owns the tokens: there already, or added.
pub(super) fn ensure_owner(accounts: &mut BTreeMap<u64, Account>) -> u64 {
    if let Some(account) = accounts.values().find(|account| account.username == OWNER) {
        return account.id;
    }
    let behind = accounts.last_key_value().map_or(1, |(id, _)| id + 1);
    let id = if accounts.contains_key(&1) { behind } else { 1 };
    let owner = Account {
        is_admin: true,
        ..Account::new(id, OWNER)
    };
    accounts.insert(id, owner);
    id
}

fn api(app: &App) -> Router {
    let attribute = get(attribute_calls::show)
        .put(attribute_calls::put)
        .delete(attribute_calls::delete);
    Router::new()
        .route("/api/v4/user", get(users::current))
        .route("/api/v4/version", get(users::version))
        .route("/api/v4/personal_access_tokens/self", get(users::token))
        .route("/api/v4/users", get(users::list))
        .route("/api/v4/users/{id}", get(users::show))
        .route(
            "/api/v4/users/{id}/custom_attributes",
            get(attribute_calls::list),
        )
        .route("/api/v4/users/{id}/custom_attributes/{key}", attribute)
        .route("/api/v4/users/{id}/{action}", post(users::act))
        .fallback(users::unknown)
        .method_not_allowed_fallback(users::not_allowed)
        .layer(from_fn_with_state(Arc::clone(app), keep_read_only))
        .with_state(Arc::clone(app))
}

/// Turns writes away in maintenance mode, before anybody asks who the caller is.
async fn keep_read_only(Shared(app): Shared<App>, request: Request, next: Next) -> Response {
    let write = !request.method().is_safe();
    if write && lock(&app.store).maintenance {
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let json =
            content_type.is_some_and(|content_type| content_type.starts_with("application/json"));
        return answers::read_only(json, &app.url);
    }
    next.run(request).await
}
