//! The shapes of Lookup's answers, and of those of the gateway in front of it.

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};

/// `{"result":{"version":"1.2", key: value}}`; without a value, a result with nothing in it.
pub(super) fn result(key: &str, value: Option<Value>) -> Response {
    let mut result = json!({"version": "1.2"});
    if let (Some(value), Value::Object(result)) = (value, &mut result) {
        result.insert(key.to_owned(), value);
    }
    Json(json!({ "result": result })).into_response()
}

/// Lookup's own error.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    let code = status.canonical_reason().unwrap_or_default();
    let error = json!({"status": status.as_u16(), "code": code, "message": message, "details": ""});
    (
        status,
        Json(json!({"result": {"version": "1.2", "error": error}})),
    )
        .into_response()
}

/// The gateway's (Apigee's) error, which Lookup never saw.
pub(super) fn fault(status: StatusCode, text: &str, code: &str) -> Response {
    (
        status,
        Json(json!({"fault": {"faultstring": text, "detail": {"errorcode": code}}})),
    )
        .into_response()
}

/// The gateway's token endpoint refuses so.
pub(super) fn oauth(status: StatusCode, code: &str, text: &str) -> Response {
    (status, Json(json!({"ErrorCode": code, "Error": text}))).into_response()
}

/// Past the gateway's quota.
pub(super) fn quota() -> Response {
    fault(
        StatusCode::TOO_MANY_REQUESTS,
        "Rate limit quota violation. Quota limit  exceeded. Identifier : _default",
        "policies.ratelimit.QuotaViolation",
    )
}

/// An address too long for the servers in front, which know no JSON.
pub(super) fn too_long() -> Response {
    let page =
        Html("<html><head><title>414 Request-URI Too Large</title></head><body></body></html>");
    let mut response = (StatusCode::URI_TOO_LONG, page).into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        axum::http::HeaderValue::from_static("text/html"),
    );
    response
}
