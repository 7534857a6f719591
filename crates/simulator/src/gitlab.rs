//! A GitLab as its users API behaves, read in GitLab's source at 18.9: the state table with its
//! bodies, what a token without administrator's rights sees, cursors, booleans in every spelling.

mod account;
mod activity;
mod admin_api;
mod answers;
mod attributes;
mod audit;
mod authorization;
mod cost;
mod cursor;
mod defaults;
mod entities;
mod filters;
mod graphql;
mod hidden;
mod json;
mod kinds;
mod link;
mod pages;
mod parameters;
mod reads;
mod request;
mod route;
mod rows;
mod server;
mod settings;
mod states;
mod store;
mod throttle;
mod tokens;
mod unsupported;
mod writes;

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use serde_json::Value;

use super::{
    connection::Outage,
    control::{Control, RateLimit, lock},
    server::{BoundListener, ServerTask},
};

pub use account::{RowError, SimulatedUser};
pub use admin_api::ChangeError;
pub use attributes::Attributes;
pub use audit::RecordedChange;
pub use cost::{Cost, CostShare, ProcessorTime};
pub use hidden::{Deletion, Hidden};
pub use kinds::{Kind, UserIdentity, UserState};
pub use settings::{Conditions, Health, Throttles};
pub use states::Action;
pub use tokens::{SimulatedToken, TokenChange};

use activity::Activity;
use cost::Processes;
use server::{GitLabServer, SharedGitLab};
use store::GitLabStore;
use throttle::ThrottleCounters;

/// The username of the service's own account in GitLab.
pub const OWNER: &str = "lookup-gitlab-sync";

/// The secret of the administrator's token.
pub const ADMINISTRATORS_TOKEN: &str = "simulated-administrators-token";

/// The secret of a token of the same account without administrator's rights.
pub const REDUCED_TOKEN: &str = "simulated-reduced-token";

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct GitLabSettings {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The address to listen on; 127.0.0.1 by default.
    pub bind: Option<IpAddr>,
    /// The accounts. One named [`OWNER`] owns the tokens; if there is none it is added, with id 1
    /// where that is free and else behind the last.
    pub accounts: Vec<SimulatedUser>,
    /// Added to each answer.
    pub latency: Duration,
    /// GitLab's own limit of one account, off by default as it is there.
    pub rate_limit: Option<RateLimit>,
    /// Tokens beside the two that are always there, by their secret.
    pub tokens: BTreeMap<String, SimulatedToken>,
    /// What answers cost.
    pub cost: Cost,
    /// After so many pages of `GET /users` the server ends over the next one and comes back seconds
    /// later.
    pub restarts_every: Option<u64>,
}

/// A running GitLab; it stops when dropped.
#[derive(Debug)]
pub struct SimulatedGitLab {
    app: SharedGitLab,
    control: Control,
    running: Option<ServerTask>,
}

impl SimulatedGitLab {
    /// Binds the port and serves.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound.
    pub async fn start(settings: GitLabSettings) -> io::Result<Self> {
        let bound = BoundListener::new(settings.bind, settings.port).await?;
        let mut gitlab = Self::assemble(settings, bound.url(), bound.outage());
        let Self { app, control, .. } = &gitlab;
        let router = api(app).merge(admin_api::routes(Arc::clone(app)));
        gitlab.running = Some(bound.serve(control.around(router), control.stopping()));
        Ok(gitlab)
    }

    /// Without a socket: only [`Self::router`] reaches it.
    pub fn in_memory(settings: GitLabSettings) -> Self {
        let url = "http://gitlab.example".to_owned();
        Self::assemble(settings, url, Outage::default())
    }

    fn assemble(settings: GitLabSettings, url: String, outage: Outage) -> Self {
        let mut accounts: BTreeMap<u64, SimulatedUser> = settings
            .accounts
            .into_iter()
            .map(|account| (account.id, account))
            .collect();
        let owner = ensure_owner(&mut accounts);
        let mut tokens = settings.tokens;
        tokens.extend(
            [(ADMINISTRATORS_TOKEN, true), (REDUCED_TOKEN, false)]
                .map(|(secret, admin)| (secret.to_owned(), SimulatedToken::new(owner, admin))),
        );
        let mut conditions = Conditions::default();
        conditions.throttles.authenticated = settings.rate_limit;
        let store = Mutex::new(GitLabStore {
            accounts,
            tokens,
            counts: ThrottleCounters::new(&conditions),
            conditions,
            activity: Activity::default(),
            addresses: BTreeMap::new(),
            restorations: Vec::new(),
            changes: Vec::new(),
        });
        let app = GitLabServer {
            store,
            url,
            owner,
            processes: Processes::new(settings.cost, settings.restarts_every),
            outage,
        };
        Self {
            app: Arc::new(app),
            // GitLab counts by account, and so within.
            control: Control::new(settings.latency, None, answers::internal_error),
            running: None,
        }
    }

    /// `http://127.0.0.1:port`, to which clients add `/api/v4`.
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// What its answers cost.
    pub fn cost(&self) -> Cost {
        self.app.processes.cost
    }

    /// What its processes spent, or would have spent where answers cost nothing.
    pub fn spent(&self) -> ProcessorTime {
        self.app.processes.spent()
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
    pub fn snapshot(&self) -> BTreeMap<u64, SimulatedUser> {
        self.app.store().accounts.clone()
    }

    /// One account as it is now.
    pub fn account(&self, id: u64) -> Option<SimulatedUser> {
        self.app.store().accounts.get(&id).cloned()
    }

    /// What people and programs did to accounts' states through GitLab, the oldest first.
    pub fn changes(&self) -> Vec<RecordedChange> {
        self.app.store().changes.clone()
    }

    /// What `PUT /simulate/users/{id}` does: merges keys of a row into the account, or creates it;
    /// a change of state is put down to `by`, or else to another administrator, and to `at` or now.
    ///
    /// # Errors
    ///
    /// When a value is not possible, or an account to be created has no username.
    pub fn change_user(&self, id: u64, change: Value) -> Result<(), ChangeError> {
        admin_api::change(&mut self.app.store(), self.app.owner, id, change)
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
            .or_insert_with(|| SimulatedToken::new(self.app.owner, false))
            .change(change);
    }

    /// Maintenance Mode: reads are answered, writes are not.
    pub fn set_maintenance(&self, enabled: bool) {
        let text = enabled.then(|| settings::MAINTENANCE.to_owned());
        lock(&self.app.store).conditions.maintenance = text;
    }

    /// How the server behaves beside its accounts.
    pub fn conditions(&self) -> Conditions {
        lock(&self.app.store).conditions.clone()
    }

    /// Switches it, and counts anew what is counted.
    pub fn set_conditions(&self, conditions: Conditions) {
        lock(&self.app.store).set_conditions(conditions);
    }

    /// The server ends: its connections are reset, and new ones refused for so long.
    pub fn restart(&self, away: Duration) {
        self.app.outage.begin(away);
    }

    /// What it serves, for callers within this process: no socket, no faults, no latency, no record
    /// of requests.
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

/// The account that owns the tokens: there already, or added.
pub(super) fn ensure_owner(accounts: &mut BTreeMap<u64, SimulatedUser>) -> u64 {
    if let Some(account) = accounts.values().find(|account| account.username == OWNER) {
        return account.id;
    }
    let behind = accounts.last_key_value().map_or(1, |(id, _)| id + 1);
    let id = if accounts.contains_key(&1) { behind } else { 1 };
    let owner = SimulatedUser {
        is_admin: true,
        ..SimulatedUser::new(id, OWNER)
    };
    accounts.insert(id, owner);
    id
}

fn api(app: &SharedGitLab) -> Router {
    Router::new()
        .fallback(server::answer)
        .with_state(Arc::clone(app))
}
