//! `POST /api/v4/internal/gitlab_subscriptions/namespaces/:id/provision`: the checks in their order, and every answer.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State as Extract, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;

use super::{
    State,
    namespace::{self, Namespace},
    service::Unfinished,
    token::{self, Refused},
};
use crate::namespaces::{
    answer::{PartStatus, ProvisionResponse},
    body::{self, BodyError},
    document::{Document, InvalidDocument},
};

/// The one route.
pub const PATH: &str = "/api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision";

/// Every answer but the service's own.
#[derive(Debug)]
enum Refusal {
    Token(Refused),
    NoSuchNamespace,
    NotRoot,
    Document(InvalidDocument),
    BodyTimeout,
    Service(Unfinished),
    /// The call's task panicked.
    Task,
}

/// The route, and JSON for whatever else is asked of this port.
pub fn router(state: State) -> Router {
    let error =
        |status: StatusCode, text: &str| (status, Json(json!({ "error": text }))).into_response();
    Router::new()
        .route(PATH, post(provision))
        .method_not_allowed_fallback(move || async move {
            error(StatusCode::METHOD_NOT_ALLOWED, "405 Not Allowed")
        })
        .fallback(move || async move { error(StatusCode::NOT_FOUND, "404 Not Found") })
        .with_state(state)
}

async fn provision(
    Extract(state): Extract<State>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<ProvisionResponse, Refusal> {
    authenticate(&state, &headers)
        .await
        .map_err(Refusal::Token)?;
    let namespace = find(&state, id).await?;
    let body = body::read(body, state.body_deadline)
        .await
        .map_err(Refusal::from)?;
    let document = Document::parse(&body).map_err(Refusal::Document)?;
    document.has_required_keys().map_err(Refusal::Document)?;
    run(&state, namespace, document).await
}

async fn authenticate(state: &State, headers: &HeaderMap) -> Result<(), Refused> {
    let mut tokens = headers.get_all(token::HEADER).iter();
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Err(Refused::Missing);
    };
    let token = token.to_str().map_err(|_| Refused::Malformed)?;
    token::verify(token, &state.keys).await
}

/// An id that is no text names nothing.
async fn find(
    state: &State,
    id: Result<Path<String>, PathRejection>,
) -> Result<Namespace, Refusal> {
    let Ok(Path(id)) = id else {
        return Err(Refusal::NoSuchNamespace);
    };
    let namespace = namespace::find(&state.pool, &id)
        .await
        .map_err(|source| Refusal::Service(Unfinished::of("namespace", source)))?;
    let namespace = namespace.ok_or(Refusal::NoSuchNamespace)?;
    if namespace.root {
        Ok(namespace)
    } else {
        Err(Refusal::NotRoot)
    }
}

/// In a task of its own: a caller that hangs up does not stop a call between two steps.
async fn run(
    state: &State,
    namespace: Namespace,
    document: Document,
) -> Result<ProvisionResponse, Refusal> {
    let service = Arc::clone(&state.service);
    let call = state
        .calls
        .spawn(async move { service.provision(&namespace, &document).await });
    match call.await {
        Ok(answer) => answer.map_err(Refusal::Service),
        Err(_) => Err(Refusal::Task),
    }
}

impl From<BodyError> for Refusal {
    fn from(why: BodyError) -> Self {
        match why {
            BodyError::Timeout => Self::BodyTimeout,
            BodyError::TooLarge => Self::Document(InvalidDocument::TooLarge),
        }
    }
}

impl IntoResponse for ProvisionResponse {
    fn into_response(self) -> Response {
        let status = match self.status {
            PartStatus::Success => StatusCode::OK,
            PartStatus::Error => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, Json(self)).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.log();
        let (status, body) = match self {
            Self::Token(_) => (
                StatusCode::UNAUTHORIZED,
                json!({ "message": "401 Unauthorized" }),
            ),
            Self::NoSuchNamespace => (
                StatusCode::NOT_FOUND,
                json!({ "message": "404 Namespace Not Found" }),
            ),
            Self::NotRoot => (
                StatusCode::BAD_REQUEST,
                json!({ "message": "400 Bad request - Must be root namespace" }),
            ),
            Self::Document(invalid) => (
                StatusCode::BAD_REQUEST,
                json!({ "error": invalid.to_string() }),
            ),
            Self::BodyTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                json!({ "message": "408 Request Timeout" }),
            ),
            Self::Service(Unfinished::Refused { step, why }) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({
                    "message": format!(
                        "500 Internal Server Error - the database refuses {step}: SQLSTATE class {} ({})",
                        why.class, why.meaning()
                    ),
                    "sqlstate_class": why.class,
                }),
            ),
            Self::Service(Unfinished::Unavailable { .. } | Unfinished::Deadline) | Self::Task => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "message": "503 Service Unavailable" }),
            ),
        };
        (status, Json(body)).into_response()
    }
}

impl Refusal {
    /// What the answer does not say. A portal that cannot be asked and a database that fails are for a person to see to.
    fn log(&self) {
        match self {
            Self::Token(Refused::Key(token::NoKey::Portal(why))) => {
                tracing::error!(
                    event = "portal_keys_unavailable",
                    why,
                    "no token can be verified"
                );
            }
            Self::Token(why) => {
                tracing::warn!(event = "provisioning_token_refused", %why, "a call without a valid token");
            }
            Self::Service(Unfinished::Refused { step, why }) => {
                let (class, place) = (&why.class, &why.place);
                tracing::error!(
                    event = "provisioning_database_refused",
                    step,
                    class,
                    place,
                    "answered 500"
                );
            }
            Self::Service(error) => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(event = "provisioning_database_failed", %error, source, "answered 503");
            }
            Self::Task => tracing::error!(event = "provisioning_call_panicked", "answered 503"),
            Self::NoSuchNamespace | Self::NotRoot | Self::Document(_) | Self::BodyTimeout => {}
        }
    }
}
