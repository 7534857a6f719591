//! What tests and people turn on a simulated server: faults, latency, the rate limit, and the
//! record of what was asked. The same for each server; `/simulate/…` itself is never slowed, failed
//! or recorded.

mod faults;
mod journal;
mod rate;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::connection::ClientConnection;

pub use faults::{Cut, InjectedFault, InvalidFault};
pub use journal::Entry;
pub use rate::RateLimit;

use faults::Faults;
pub(super) use journal::BareWord;
use journal::Journal;
pub(super) use rate::{Admission, Windows};

/// The controls of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    inner: Arc<ControlState>,
}

#[derive(Debug)]
struct ControlState {
    latency: Duration,
    limit: Option<Mutex<Windows>>,
    refusal: fn() -> Response,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    stopping: CancellationToken,
}

impl Control {
    /// Controls with nothing wrong yet. Past `limit`, where a server has one of this kind,
    /// `refusal` is the answer.
    pub(super) fn new(
        latency: Duration,
        limit: Option<RateLimit>,
        refusal: fn() -> Response,
    ) -> Self {
        let inner = ControlState {
            latency,
            limit: limit.map(Windows::new).map(Mutex::new),
            refusal,
            faults: Mutex::default(),
            journal: Mutex::default(),
            stopping: CancellationToken::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Adds a fault after those that are there; the first that strikes a request wins.
    ///
    /// # Errors
    ///
    /// When the fault's status or a header of it is none.
    pub fn inject(&self, fault: InjectedFault) -> Result<(), InvalidFault> {
        lock(&self.inner.faults).add(vec![fault])
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        lock(&self.inner.faults).clear();
    }

    /// What was asked since the request numbered `since`, oldest first; 0 is everything that is
    /// remembered.
    pub fn requests(&self, since: u64) -> Vec<Entry> {
        lock(&self.inner.journal).since(since)
    }

    /// How many remembered requests used `method` (or any, for `*`) on a path that `glob` matches.
    pub fn count(&self, method: &str, glob: &str) -> usize {
        let fault = InjectedFault::on(method, glob);
        self.requests(0)
            .iter()
            .filter(|entry| fault.matches(&entry.method, &entry.path))
            .count()
    }

    /// How many remembered requests could have changed something: not a GET, and no query of
    /// GraphQL, which comes as a POST. One look at all of them: two counts, one subtracted from the
    /// other, disagree where requests arrive in between.
    pub fn writes(&self) -> usize {
        let is_question = |entry: &Entry| entry.method == "GET" || entry.path == "/api/graphql";
        let requests = self.requests(0);
        requests.iter().filter(|entry| !is_question(entry)).count()
    }

    /// Forgets what was asked; the numbers go on.
    pub fn forget_requests(&self) {
        lock(&self.inner.journal).clear();
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.inner.stopping.clone()
    }

    /// `/simulate/faults` and `/simulate/requests`.
    pub(super) fn routes(&self) -> Router {
        Router::new()
            .route(
                "/simulate/faults",
                post(add_faults).get(list_faults).delete(clear_faults),
            )
            .route(
                "/simulate/requests",
                get(list_requests).delete(clear_requests),
            )
            .with_state(self.clone())
    }

    /// Puts the faults, the latency, the limit and the journal around `router`.
    pub(super) fn around(&self, router: Router) -> Router {
        router
            .merge(self.routes())
            .layer(axum::middleware::from_fn_with_state(self.clone(), observe))
    }

    /// Sleeps, but not past the server's stop.
    async fn pause(&self, duration: Duration) {
        if !duration.is_zero() {
            let _ = tokio::time::timeout(duration, self.inner.stopping.cancelled()).await;
        }
    }

    /// Counts the request against its caller's window.
    fn admit(&self, headers: &HeaderMap) -> Option<Admission> {
        let windows = self.inner.limit.as_ref()?;
        let caller = headers
            .get("private-token")
            .or_else(|| headers.get("authorization"))?;
        Some(lock(windows).admit(caller.as_bytes(), jiff::Timestamp::now()))
    }
}

/// A poisoned lock is taken all the same: a handler that panicked has failed its test already.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way of every request through the controls.
async fn observe(
    State(control): State<Control>,
    ConnectInfo(connection): ConnectInfo<ClientConnection>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/simulate/") {
        return next.run(request).await;
    }
    let method = request.method().as_str().to_owned();
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let number = lock(&control.inner.journal).begin(&method, &path);
    let fault = lock(&control.inner.faults).strike(&method, &path);

    let cut = fault.as_ref().is_some_and(|fault| fault.drop.is_some());
    let response = answer(&control, fault, request, next).await;
    if cut {
        connection.cut();
    }
    let said = response.extensions().get::<BareWord>().copied();
    lock(&control.inner.journal).end(number, (!cut).then(|| response.status().as_u16()), said);
    response
}

/// The answer with its delays: the true one, or what the fault makes of it.
async fn answer(
    control: &Control,
    fault: Option<InjectedFault>,
    request: Request,
    next: Next,
) -> Response {
    let Some(fault) = fault else {
        control.pause(control.inner.latency).await;
        return limited(control, request, next).await;
    };
    let delay = control.inner.latency + Duration::from_millis(fault.delay_ms);
    match fault.drop {
        Some(Cut::Before) => {
            control.pause(delay).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        // The delay comes after the effect, so that a client that gives up meanwhile has caused it
        // all the same.
        Some(Cut::After) => {
            let response = limited(control, request, next).await;
            control.pause(delay).await;
            response
        }
        None => {
            control.pause(delay).await;
            match fault.response() {
                Some(response) => response,
                None => fault.with_headers(limited(control, request, next).await),
            }
        }
    }
}

/// The true answer, within the rate limit.
async fn limited(control: &Control, request: Request, next: Next) -> Response {
    let Some(admission) = control.admit(request.headers()) else {
        return next.run(request).await;
    };
    if admission.admitted {
        next.run(request).await
    } else {
        (control.inner.refusal)()
    }
}

async fn add_faults(State(control): State<Control>, body: axum::body::Bytes) -> Response {
    let added = serde_json::from_slice::<Vec<InjectedFault>>(&body)
        .map_err(|error| error.to_string())
        .and_then(|faults| {
            lock(&control.inner.faults)
                .add(faults)
                .map_err(|error| error.to_string())
        });
    match added {
        Ok(()) => list_faults(State(control)).await,
        Err(error) => refuse(&error),
    }
}

async fn list_faults(State(control): State<Control>) -> Response {
    Json(lock(&control.inner.faults).list()).into_response()
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct SinceQuery {
    #[serde(default)]
    since: u64,
}

async fn list_requests(
    State(control): State<Control>,
    Query(SinceQuery { since }): Query<SinceQuery>,
) -> Json<Vec<Entry>> {
    Json(control.requests(since))
}

async fn clear_requests(State(control): State<Control>) -> StatusCode {
    control.forget_requests();
    StatusCode::NO_CONTENT
}

/// What a control endpoint answers to a body it cannot use.
pub(super) fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}
