//! The endpoints of custom attributes (`lib/api/custom_attributes_endpoints.rb`). Administrators only.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{App, account::Account, answers, filters::Parameters, rows};

/// `GET /users/:id/custom_attributes`.
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    on_account(&app, &headers, &id, |account| {
        Json(rows::custom_attributes(account)).into_response()
    })
}

/// `GET /users/:id/custom_attributes/:key`.
pub(super) async fn show(
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    on_account(&app, &headers, &id, |account| {
        match account.custom_attributes.get(&key) {
            Some(value) => Json(json!({"key": key, "value": value})).into_response(),
            None => missing(),
        }
    })
}

/// `PUT /users/:id/custom_attributes/:key`, the value in a form, in JSON or in the query.
pub(super) async fn put(
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = value(&headers, &body).or_else(|| {
        Parameters::parse(&query.unwrap_or_default())
            .get("value")
            .map(str::to_owned)
    });
    on_account(&app, &headers, &id, |account| match sent {
        None => answers::error(StatusCode::BAD_REQUEST, "value is missing"),
        Some(value) if value.trim().is_empty() => {
            answers::error(StatusCode::BAD_REQUEST, "value is empty")
        }
        Some(value) => {
            account.custom_attributes.insert(key.clone(), value.clone());
            Json(json!({"key": key, "value": value})).into_response()
        }
    })
}

/// `DELETE /users/:id/custom_attributes/:key`.
pub(super) async fn delete(
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    on_account(&app, &headers, &id, |account| {
        match account.custom_attributes.remove(&key) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => missing(),
        }
    })
}

fn on_account(
    app: &App,
    headers: &HeaderMap,
    id: &str,
    answer: impl FnOnce(&mut Account) -> Response,
) -> Response {
    app.as_administrator(headers, |store, _| {
        match id
            .parse()
            .ok()
            .and_then(|id: u64| store.accounts.get_mut(&id))
        {
            Some(account) => answer(account),
            None => answers::message(StatusCode::NOT_FOUND, "404 Not Found"),
        }
    })
}

/// An account that is there and a key that is not: GitLab spells the two apart.
fn missing() -> Response {
    answers::message(StatusCode::NOT_FOUND, "404 Not found")
}

/// `value` as the body has it; a number or a boolean in JSON is taken as its text, as Grape's `String` does.
fn value(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with("application/json") {
        let body: Value = serde_json::from_slice(body).ok()?;
        return match body.get("value")? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
    }
    Parameters::parse(std::str::from_utf8(body).ok()?)
        .get("value")
        .map(str::to_owned)
}
