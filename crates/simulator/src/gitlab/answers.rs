//! GitLab's answers that are not rows.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{json::respond, states::TransitionResult};
use crate::control::BareWord;

/// An answer in place of the one that was asked for.
pub(super) type ErrorResponse = Box<Response>;

/// `{"message": …}`, how GitLab's own checks answer.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    respond(status, &json!({ "message": message }))
}

/// `{"error": …}`, how the parameters are refused (Grape), and unknown paths.
pub(super) fn error(status: StatusCode, error: &str) -> Response {
    respond(status, &json!({ "error": error }))
}

/// `{"message":{"<key>":["<problem>"]}}`, how a record that does not validate is refused.
pub(super) fn invalid_record(key: &str, problem: &str) -> Response {
    respond(
        StatusCode::BAD_REQUEST,
        &json!({"message": {key: [problem]}}),
    )
}

/// No token, or one that GitLab does not know.
pub(super) fn unauthorized() -> Response {
    message(StatusCode::UNAUTHORIZED, "401 Unauthorized")
}

/// A token that was good once.
pub(super) fn invalid_token(description: &str) -> Response {
    let body = json!({"error": "invalid_token", "error_description": description});
    let mut response = respond(StatusCode::UNAUTHORIZED, &body);
    let challenge = format!(
        "Bearer realm=\"Protected by OAuth 2.0\", error=\"invalid_token\", error_description=\"{description}\""
    );
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A token whose scopes are too small. GitLab names those that would do for reading, whatever was
/// asked.
pub(super) fn insufficient_scope() -> Response {
    let body = json!({
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "read_user ai_workflows api read_api",
    });
    respond(StatusCode::FORBIDDEN, &body)
}

/// An owner who is not let in.
pub(super) fn denied(reason: &str) -> Response {
    message(StatusCode::FORBIDDEN, &format!("403 Forbidden - {reason}"))
}

/// `Sudo` as somebody who is not there.
pub(super) fn no_sudo(name: &str) -> Response {
    message(
        StatusCode::NOT_FOUND,
        &format!("404 User with ID or username '{name}' Not Found"),
    )
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

/// No such path.
pub(super) fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 Not Found")
}

/// What Rack says before GitLab is asked: text, not JSON.
pub(super) fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain")], body).into_response()
}

pub(super) fn bad_request() -> Response {
    text(StatusCode::BAD_REQUEST, "Bad Request".to_owned())
}

pub(super) fn traversal() -> Response {
    let issue = "https://gitlab.com/gitlab-org/gitlab/-/issues/520714";
    text(
        StatusCode::BAD_REQUEST,
        format!("Potential path traversal attempt detected. Feedback issue: {issue}."),
    )
}

/// A path that is a page's and not the API's: to the sign-in page of the host that was asked.
pub(super) fn sign_in(host: &str) -> Response {
    let place = format!("http://{host}/users/sign_in");
    let body =
        format!("<html><body>You are being <a href=\"{place}\">redirected</a>.</body></html>");
    let html = "text/html; charset=utf-8".to_owned();
    let headers = [(header::CONTENT_TYPE, html), (header::LOCATION, place)];
    (StatusCode::FOUND, headers, body).into_response()
}

/// A write in Maintenance Mode: 503 with the administrators' text to who sends JSON, a redirect to
/// everybody else.
pub(super) fn maintenance(json: bool, text: &str, url: &str) -> Response {
    if !json {
        let place = [(header::LOCATION, format!("{url}/"))];
        return (StatusCode::MOVED_PERMANENTLY, place).into_response();
    }
    let mut response = message(StatusCode::SERVICE_UNAVAILABLE, text);
    let wait = HeaderValue::from_static("900");
    response.headers_mut().insert(header::RETRY_AFTER, wait);
    response
}

/// One endpoint's own limit (`lib/gitlab/application_rate_limiter.rb`), which asks to wait for its
/// whole interval.
pub(super) fn too_many_times() -> Response {
    let text = "This endpoint has been requested too many times. Try again later.";
    let mut response = respond(
        StatusCode::TOO_MANY_REQUESTS,
        &json!({"message": {"error": text}}),
    );
    let wait = HeaderValue::from_static("600");
    response.headers_mut().insert(header::RETRY_AFTER, wait);
    response
}

/// The answer to a state-changing call: 201 with one bare word, or a refusal.
pub(super) fn verdict(verdict: &TransitionResult) -> Response {
    let word = match verdict {
        TransitionResult::Becomes(_) | TransitionResult::StaysTrue => "true",
        TransitionResult::StaysNull => "null",
        TransitionResult::StaysFalse => "false",
        TransitionResult::Forbidden(reason) => return message(StatusCode::FORBIDDEN, reason),
        TransitionResult::Invalid(reason) => {
            return message(StatusCode::INTERNAL_SERVER_ERROR, reason);
        }
        TransitionResult::NotRecorded(what) => return not_simulated(what),
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::CREATED, json, word).into_response();
    response.extensions_mut().insert(BareWord(word));
    response
}
