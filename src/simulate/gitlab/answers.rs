//! GitLab's answers that are not rows.

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::states::Verdict;
use crate::simulate::control::Said;

/// `{"message": …}`, how GitLab's own checks answer.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// `{"error": …}`, how the parameters are refused (Grape), and unknown paths.
pub(super) fn error(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// A token that was good once.
pub(super) fn invalid_token(description: &str) -> Response {
    let body = json!({"error": "invalid_token", "error_description": description});
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}

/// What this server leaves out: better than something made up.
pub(super) fn not_simulated(what: &str) -> Response {
    message(
        StatusCode::NOT_IMPLEMENTED,
        &format!("The simulated GitLab does not answer this: {what}"),
    )
}

/// Any fault of GitLab's own.
pub(super) fn internal_error() -> Response {
    message(
        StatusCode::INTERNAL_SERVER_ERROR,
        "500 Internal Server Error",
    )
}

pub(super) fn forbidden() -> Response {
    message(StatusCode::FORBIDDEN, "403 Forbidden")
}

pub(super) fn user_not_found() -> Response {
    message(StatusCode::NOT_FOUND, "404 User Not Found")
}

pub(super) fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 Not Found")
}

/// Past the rate limit (`Rack::Attack`): text, not JSON.
pub(super) fn retry_later() -> Response {
    (
        StatusCode::TOO_MANY_REQUESTS,
        [(CONTENT_TYPE, "text/plain")],
        "Retry later\n",
    )
        .into_response()
}

/// A write in maintenance mode: JSON only to who sends JSON, a redirect to everybody else
/// (`lib/gitlab/middleware/read_only/controller.rb`).
pub(super) fn read_only(json: bool, url: &str) -> Response {
    if json {
        message(
            StatusCode::FORBIDDEN,
            "You cannot perform write operations on a read-only instance",
        )
    } else {
        (
            StatusCode::MOVED_PERMANENTLY,
            [("location", format!("{url}/"))],
        )
            .into_response()
    }
}

/// The answer to a state-changing call: 201 with one bare word, or 403.
pub(super) fn verdict(verdict: &Verdict) -> Response {
    let word = match verdict {
        Verdict::Becomes(_) | Verdict::StaysTrue => "true",
        Verdict::StaysNull => "null",
        Verdict::StaysFalse => "false",
        Verdict::Forbidden(reason) => return message(StatusCode::FORBIDDEN, reason),
        Verdict::Invalid(reason) => return message(StatusCode::INTERNAL_SERVER_ERROR, reason),
        Verdict::NotRecorded(what) => return not_simulated(what),
    };
    let mut response = (
        StatusCode::CREATED,
        [(CONTENT_TYPE, "application/json")],
        word,
    )
        .into_response();
    response.extensions_mut().insert(Said(word));
    response
}
