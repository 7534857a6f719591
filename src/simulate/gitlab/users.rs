//! The endpoints of `/api/v4`: who the token is, listing and showing accounts, changing their state.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    App, answers,
    filters::{Filter, Parameters},
    pages::{Paging, Refused},
    rows,
    states::Action,
    store::Store,
    tokens::{self, Caller},
};

/// `GET /user`.
pub(super) async fn current(State(app): State<App>, headers: HeaderMap) -> Response {
    app.as_caller(&headers, |store, caller| {
        let Some(account) = store.accounts.get(&caller.user_id) else {
            return answers::user_not_found();
        };
        if caller.admin && account.hidden.without_namespace {
            return answers::internal_error();
        }
        let row = if caller.admin {
            rows::administrators(account, &app.url, false)
        } else {
            rows::own(account, &app.url)
        };
        Json(row).into_response()
    })
}

/// `GET /personal_access_tokens/self`.
pub(super) async fn token(State(app): State<App>, headers: HeaderMap) -> Response {
    app.as_caller(&headers, |store, caller| {
        let token = tokens::secret(&headers).and_then(|secret| store.tokens.get(secret));
        let Some(token) = token else { return answers::not_found() };
        let row = json!({
            "id": caller.user_id, "name": "lookup-gitlab-sync", "description": null, "revoked": false,
            "created_at": "2026-01-05T09:00:00.000Z", "scopes": token.scopes, "user_id": caller.user_id,
            "last_used_at": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            "active": true, "expires_at": token.expires_at, "last_used_ips": [],
        });
        Json(row).into_response()
    })
}

/// `GET /version`.
pub(super) async fn version(State(app): State<App>, headers: HeaderMap) -> Response {
    app.as_caller(&headers, |_, _| {
        Json(json!({"version": "18.9.0-ee", "revision": "simulated"})).into_response()
    })
}

/// `GET /users`.
pub(super) async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    app.as_caller(&headers, |store, caller| {
        listed(store, caller, &app.url, &query).unwrap_or_else(IntoResponse::into_response)
    })
}

fn listed(store: &Store, caller: Caller, url: &str, query: &str) -> Result<Response, Refused> {
    let parameters = Parameters::parse(query);
    let filter = Filter::new(&parameters, caller.admin)?;
    if filter.needs_admin() && !caller.admin {
        return Ok(answers::forbidden());
    }
    let with_custom_attributes = parameters.flag("with_custom_attributes")?;
    let page = Paging::new(&parameters, caller.admin)?.cut(store, &filter);
    if caller.admin
        && page
            .accounts
            .iter()
            .any(|account| account.hidden.without_namespace)
    {
        return Ok(answers::internal_error());
    }
    let row = |account| {
        Value::Object(if caller.admin {
            rows::administrators(account, url, with_custom_attributes)
        } else {
            rows::basic(account, url)
        })
    };
    let shown: Vec<Value> = page.accounts.iter().copied().map(row).collect();
    Ok(page.respond(&shown, url, query))
}

/// `GET /users/:id`.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(&query.unwrap_or_default());
    app.as_caller(&headers, |store, caller| {
        let account = id.parse().ok().and_then(|id: u64| store.accounts.get(&id));
        let Some(account) = account else {
            return answers::user_not_found();
        };
        let row = match parameters.flag("with_custom_attributes") {
            Err(invalid) => return Refused::from(invalid).into_response(),
            Ok(_) if caller.admin && account.hidden.without_namespace => {
                return answers::internal_error();
            }
            Ok(with) if caller.admin => rows::details(account, &app.url, with),
            Ok(_) => rows::profile(account, &app.url),
        };
        Json(row).into_response()
    })
}

/// `POST /users/:id/block` and its kin. What the body is does not matter: none, `{}` and a form are all sent.
pub(super) async fn act(
    State(app): State<App>,
    Path((id, action)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(action) = Action::named(&action) else {
        return answers::not_found();
    };
    app.as_administrator(&headers, |store, caller| {
        let verdict = id
            .parse()
            .ok()
            .and_then(|id| store.act(action, id, caller.user_id, Timestamp::now()));
        verdict
            .as_ref()
            .map_or_else(answers::user_not_found, answers::verdict)
    })
}

/// Any path that is none of the API's.
pub(super) async fn unknown() -> Response {
    answers::not_found()
}

/// A path of the API with a method it has not.
pub(super) async fn not_allowed() -> Response {
    answers::error(StatusCode::METHOD_NOT_ALLOWED, "405 Not Allowed")
}
