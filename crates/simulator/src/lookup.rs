//! A Lookup as its web service behaves: behind the API gateway with client credentials, and
//! directly with a group's password.

mod admin_api;
mod answers;
mod credentials;
mod people;
mod person;

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::post,
};
use serde_json::{Map, Value};

use super::{
    control::{Control, RateLimit, lock},
    server::{BoundListener, ServerTask},
};

pub use person::{PersonError, SimulatedPerson};

use credentials::AccessTokens;
use people::PersonStore;

/// The gateway's client id.
pub const CLIENT_ID: &str = "simulated-client";

/// The gateway's client secret.
pub const CLIENT_SECRET: &str = "simulated-client-secret";

/// The short name of the group that may ask directly.
pub const GROUP: &str = "simulated-group";

/// The group's password.
pub const GROUP_PASSWORD: &str = "simulated-group-password";

/// What to start.
#[derive(Clone, Debug)]
pub struct LookupSettings {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The address to listen on; 127.0.0.1 by default.
    pub bind: Option<IpAddr>,
    /// Everybody in it. Of two with the same CRSid the last counts.
    pub people: Vec<SimulatedPerson>,
    /// Added to each answer.
    pub latency: Duration,
    /// The gateway's quota, off by default.
    pub rate_limit: Option<RateLimit>,
    /// How long an access token is good; an hour by default.
    pub token_lifetime: Duration,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            port: 0,
            bind: None,
            people: Vec::new(),
            latency: Duration::ZERO,
            rate_limit: None,
            token_lifetime: Duration::from_secs(3599),
        }
    }
}

/// A running Lookup; it stops when dropped.
#[derive(Debug)]
pub struct SimulatedLookup {
    app: SharedLookup,
    control: Control,
    running: Option<ServerTask>,
    base: String,
}

type SharedLookup = Arc<LookupServer>;

#[derive(Debug)]
struct LookupServer {
    people: Mutex<PersonStore>,
    tokens: Mutex<AccessTokens>,
}

impl SimulatedLookup {
    /// Binds the port and serves.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound.
    pub async fn start(settings: LookupSettings) -> io::Result<Self> {
        let bound = BoundListener::new(settings.bind, settings.port).await?;
        let mut lookup = Self::assemble(settings, bound.url());
        let Self { app, control, .. } = &lookup;
        let router = api(app).merge(admin_api::routes(Arc::clone(app)));
        lookup.running = Some(bound.serve(control.around(router), control.stopping()));
        Ok(lookup)
    }

    /// Without a socket: only [`Self::router`] reaches it.
    pub fn in_memory(settings: LookupSettings) -> Self {
        Self::assemble(settings, "http://lookup.example".to_owned())
    }

    fn assemble(settings: LookupSettings, base: String) -> Self {
        let by_crsid = settings
            .people
            .into_iter()
            .map(|person| (person.crsid.clone(), person))
            .collect();
        let app = Arc::new(LookupServer {
            people: Mutex::new(PersonStore {
                by_crsid,
                transaction: 1,
                changed_by: BTreeMap::new(),
            }),
            tokens: Mutex::new(AccessTokens::new(settings.token_lifetime)),
        });
        Self {
            app,
            control: Control::new(settings.latency, settings.rate_limit, answers::quota),
            running: None,
            base,
        }
    }

    /// The gateway's base path, `http://127.0.0.1:port/lookup/v1`.
    pub fn url(&self) -> String {
        format!("{}/lookup/v1", self.base)
    }

    /// The gateway's token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}/oauth2/v1/token", self.base)
    }

    /// The base path of direct access, `http://127.0.0.1:port/api/v1`.
    pub fn direct_url(&self) -> String {
        format!("{}/api/v1", self.base)
    }

    /// The address alone, to which `/simulate/…` is added.
    pub fn control_url(&self) -> &str {
        &self.base
    }

    /// Faults, latency and the record of requests.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Everybody as they are now, by CRSid.
    pub fn snapshot(&self) -> BTreeMap<String, SimulatedPerson> {
        lock(&self.app.people).by_crsid.clone()
    }

    /// What `PUT /simulate/people/{crsid}` does: merges keys into the row, where null removes one;
    /// somebody new is a current member first.
    pub fn change_person(&self, crsid: &str, changes: Map<String, Value>) {
        admin_api::change(&self.app, crsid, changes);
    }

    /// Cancels the person or makes them current, which is what changes most.
    pub fn set_cancelled(&self, crsid: &str, cancelled: bool) {
        self.change_person(
            crsid,
            Map::from_iter([("cancelled".to_owned(), Value::Bool(cancelled))]),
        );
    }

    /// Takes the person out altogether; says whether they were there.
    pub fn remove_person(&self, crsid: &str) -> bool {
        admin_api::remove(&self.app, crsid)
    }

    /// Refuses every access token given out so far, though none has expired.
    pub fn revoke_tokens(&self) {
        lock(&self.app.tokens).revoke();
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

fn api(app: &SharedLookup) -> Router {
    let gateway = people::routes().layer(from_fn_with_state(
        Arc::clone(app),
        credentials::at_the_gateway,
    ));
    let direct = people::routes().layer(from_fn(credentials::at_the_service));
    Router::new()
        .route("/oauth2/v1/token", post(credentials::token))
        .nest("/lookup/v1", gateway)
        .nest("/api/v1", direct)
        .layer(from_fn(people::keep_short))
        .with_state(Arc::clone(app))
}
