//! One request as the handlers read it: nothing normalised, so that odd paths are seen as they were
//! sent.

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde_json::Value;

use super::{
    answers::{self, ErrorResponse},
    parameters::Parameters,
};

/// A body past this is cut off.
const LARGEST_BODY: usize = 16 << 20;

/// What was sent.
#[derive(Debug)]
pub(super) struct ApiRequest {
    pub(super) method: Method,
    /// As it was sent, escapes and all.
    pub(super) path: String,
    pub(super) parameters: Parameters,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
}

/// The body as far as its content type lets it be read.
#[derive(Debug)]
pub(super) enum RequestBody {
    Nothing,
    Json(Value),
    Form(Parameters),
    /// JSON that is none.
    Broken,
    /// A content type that the API does not read.
    Unsupported(String),
}

impl ApiRequest {
    /// Reads a request, or answers as Rack does where it cannot.
    pub(super) async fn read(request: Request) -> Result<Self, ErrorResponse> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_BODY)
            .await
            .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?;
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            parameters: Parameters::parse(query).ok_or_else(answers::bad_request)?,
            body: RequestBody::read(&parts.headers, &body).ok_or_else(answers::bad_request)?,
            headers: parts.headers,
        })
    }

    /// Whether it may change something.
    pub(super) fn is_write(&self) -> bool {
        !self.method.is_safe()
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the sender says that the body is JSON, whatever it is.
    pub(super) fn says_json(&self) -> bool {
        content_type(&self.headers) == "application/json"
    }
}

impl RequestBody {
    /// `None` for a form that Rack cannot decode.
    fn read(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let kind = content_type(headers);
        Some(match kind {
            _ if body.is_empty() => Self::Nothing,
            "application/json" => match serde_json::from_slice(body) {
                Ok(value) => Self::Json(value),
                Err(_) => Self::Broken,
            },
            "application/x-www-form-urlencoded" => {
                Self::Form(Parameters::parse(std::str::from_utf8(body).ok()?)?)
            }
            other => Self::Unsupported(other.to_owned()),
        })
    }
}

/// Without its parameters; empty where there is none.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next());
    kind.unwrap_or_default().trim()
}
