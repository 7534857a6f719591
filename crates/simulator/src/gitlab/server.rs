//! The way of one request through GitLab, from Rack to the endpoint.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use std::time::Duration;

use super::{
    answers, audit, authorization,
    cost::{AWAY, Processes},
    graphql, reads,
    request::{ApiRequest, RequestBody},
    route::{PathId, Route},
    settings::Health,
    states::Action,
    store::GitLabStore,
    tokens, unsupported, writes,
};
use crate::{connection::Outage, control::lock};

/// What the handlers share.
pub(super) type SharedGitLab = Arc<GitLabServer>;

/// One GitLab.
#[derive(Debug)]
pub(super) struct GitLabServer {
    pub(super) store: Mutex<GitLabStore>,
    /// What GitLab is configured to be reached at.
    pub(super) url: String,
    /// Who owns the service's token.
    pub(super) owner: u64,
    pub(super) processes: Processes,
    pub(super) outage: Outage,
}

/// Every request but those to `/simulate/…`.
pub(super) async fn answer(State(app): State<SharedGitLab>, request: Request) -> Response {
    match ApiRequest::read(request).await {
        Ok(call) => app.answer(&call).await,
        Err(refusal) => *refusal,
    }
}

impl GitLabServer {
    /// Everything as it is now.
    pub(super) fn store(&self) -> MutexGuard<'_, GitLabStore> {
        let mut store = lock(&self.store);
        store.catch_up(Timestamp::now());
        store
    }

    async fn answer(&self, call: &ApiRequest) -> Response {
        if let Some(reason) = unsupported::reason(call) {
            return answers::not_simulated(reason);
        }
        let maintenance = self.store().conditions.maintenance.clone();
        let route = Route::of(&call.method, &call.path);
        // A query changes nothing, whatever its method says.
        let writes = call.is_write() && route != Route::GraphQl;
        if let Some(text) = maintenance.filter(|_| writes) {
            return answers::maintenance(call.says_json(), &text, &self.url);
        }
        let counted = self.store().count(call, Timestamp::now());
        let response = match &counted {
            Some((_, admission)) if !admission.admitted => self.retry_later(),
            Some(_) | None => self.within_limits(call, &route).await,
        };
        match counted {
            Some((name, admission)) => admission.mark(name, response),
            None => response,
        }
    }

    /// Past a throttle: text, not JSON, whatever was asked for.
    fn retry_later(&self) -> Response {
        let text = self.store().conditions.throttles.text.clone();
        let text = text.unwrap_or_else(|| "Retry later".to_owned());
        answers::text(StatusCode::TOO_MANY_REQUESTS, format!("{text}\n"))
    }

    async fn within_limits(&self, call: &ApiRequest, route: &Route) -> Response {
        match route {
            Route::Unknown => return answers::not_found(),
            Route::Traversal => return answers::traversal(),
            Route::Outside => return answers::sign_in(call.header("host").unwrap_or_default()),
            Route::Health(body) => return health(body),
            _ if matches!(call.body, RequestBody::Broken) => {
                return answers::error(StatusCode::BAD_REQUEST, "Invalid JSON format");
            }
            _ => {}
        }
        let reads_it = *route != Route::GraphQl;
        if let (RequestBody::Unsupported(kind), true) = (&call.body, call.is_write() && reads_it) {
            let text = format!("The provided content-type '{kind}' is not supported.");
            return answers::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text);
        }
        if self.is_broken(call) {
            return answers::internal_error();
        }
        let turn = self.processes.turn().await;
        let lists = matches!(route, Route::List | Route::GraphQl);
        if lists && self.processes.ends_over_a_page() {
            self.outage.begin(AWAY);
            return answers::internal_error();
        }
        let response = match route {
            Route::Act(id, action) => self.act(call, *id, *action).await,
            _ => self.at_once(call, route),
        };
        let price = self.processes.charge(route, &response);
        turn.spend(price).await;
        response
    }

    /// Without its database GitLab fails over every token, without Redis over every good one.
    fn is_broken(&self, call: &ApiRequest) -> bool {
        let store = self.store();
        let Some(secret) = authorization::secret(call) else {
            return false;
        };
        store.conditions.database == Health::Gone
            || store.conditions.redis == Health::Gone && store.tokens.contains_key(secret)
    }

    /// A change of state takes its time between the look and the change, with nothing locked in
    /// between: two at once see the same and both succeed, as was recorded.
    async fn act(&self, call: &ApiRequest, id: PathId, action: Action) -> Response {
        let judged = writes::judge(
            &mut self.store(),
            call,
            &self.url,
            Timestamp::now(),
            (id, action),
        );
        let (caller, id, verdict) = match judged {
            Ok(judged) => judged,
            Err(refusal) => return *refusal,
        };
        let asked = Duration::from_millis(self.store().conditions.state_change_ms);
        let pause = asked.max(self.processes.state_change());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        self.store()
            .carry_out(action, id, caller.user_id, &verdict, Timestamp::now());
        answers::verdict(&verdict)
    }

    /// Everything else happens in one moment.
    fn at_once(&self, call: &ApiRequest, route: &Route) -> Response {
        let (store, url, now) = (&mut *self.store(), &*self.url, Timestamp::now());
        let answer = match route {
            Route::GraphQl => graphql::query(store, call, now),
            Route::Current => reads::current(store, call, url, now),
            Route::SimulatedToken => reads::token(store, call, url, now),
            Route::TokenRotation => tokens::rotate(store, call, url, now),
            Route::Version => reads::version(store, call, url, now),
            Route::AuditEvents => audit::events(store, call, url, now),
            Route::List => reads::list(store, call, url, now),
            Route::Show(id) => reads::show(store, call, url, now, *id),
            Route::Change(id) => writes::change(store, call, url, now, *id),
            Route::Delete(id) => writes::delete(store, call, url, now, *id),
            Route::Review(id, review) => writes::review(store, call, url, now, (*id, *review)),
            Route::Attributes(id) => reads::attributes(store, call, url, now, (*id, None)),
            Route::Attribute(id, key, method) => match *method {
                Method::PUT => writes::put_attribute(store, call, url, now, (*id, key)),
                Method::DELETE => writes::delete_attribute(store, call, url, now, (*id, key)),
                _ => reads::attributes(store, call, url, now, (*id, Some(key))),
            },
            Route::Act(..)
            | Route::Health(_)
            | Route::Unknown
            | Route::Outside
            | Route::Traversal => Ok(answers::not_found()),
        };
        answer.unwrap_or_else(|refusal| *refusal)
    }
}

/// GitLab's own pages about itself, which say nothing of its database.
fn health(body: &'static str) -> Response {
    let kind = if body.starts_with('{') {
        "application/json; charset=utf-8"
    } else {
        "text/plain"
    };
    let mut response = body.into_response();
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
