//! `POST /api/v4/internal/gitlab_subscriptions/namespaces/:id/provision`: the checks in their
//! order, and every answer.

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
    ProvisioningState,
    namespace::{self, Namespace},
    service::ProvisionError,
    token::{self, TokenError},
};
use crate::namespaces::{
    contract::{
        claims,
        document::{Document, InvalidDocument},
        response::{PartStatus, ProvisionResponse},
    },
    request_body::{self, BodyError},
};

/// The one route.
pub const PATH: &str = "/api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision";

/// Every answer but the service's own.
#[derive(Debug)]
enum ProvisionRefusal {
    Token(TokenError),
    NoSuchNamespace,
    NotRoot,
    Document(InvalidDocument),
    BodyTimeout,
    Service(ProvisionError),
    /// The call's task panicked.
    Task,
}

/// The route, and JSON for whatever else is asked of this port.
pub fn router(state: ProvisioningState) -> Router {
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
    Extract(state): Extract<ProvisioningState>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<ProvisionResponse, ProvisionRefusal> {
    authenticate(&state, &headers)
        .await
        .map_err(ProvisionRefusal::Token)?;
    let namespace = find(&state, id).await?;
    let body = request_body::read(body, state.body_deadline)
        .await
        .map_err(ProvisionRefusal::from)?;
    let document = Document::parse(&body).map_err(ProvisionRefusal::Document)?;
    document
        .has_required_keys()
        .map_err(ProvisionRefusal::Document)?;
    run(&state, namespace, document).await
}

async fn authenticate(state: &ProvisioningState, headers: &HeaderMap) -> Result<(), TokenError> {
    let mut tokens = headers.get_all(claims::HEADER).iter();
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Err(TokenError::Missing);
    };
    let token = token.to_str().map_err(|_| TokenError::Malformed)?;
    token::verify(token, &state.keys).await
}

/// An id that is no text names nothing.
async fn find(
    state: &ProvisioningState,
    id: Result<Path<String>, PathRejection>,
) -> Result<Namespace, ProvisionRefusal> {
    let Ok(Path(id)) = id else {
        return Err(ProvisionRefusal::NoSuchNamespace);
    };
    let look = async {
        let mut connection = state.pool.acquire().await?;
        namespace::find(&mut connection, &id).await
    };
    let namespace = look
        .await
        .map_err(|source| ProvisionRefusal::Service(ProvisionError::of("namespace", source)))?;
    let namespace = namespace.ok_or(ProvisionRefusal::NoSuchNamespace)?;
    if namespace.root {
        Ok(namespace)
    } else {
        Err(ProvisionRefusal::NotRoot)
    }
}

/// In a task of its own: a caller that hangs up does not stop a call between two steps.
async fn run(
    state: &ProvisioningState,
    namespace: Namespace,
    document: Document,
) -> Result<ProvisionResponse, ProvisionRefusal> {
    let service = Arc::clone(&state.service);
    let call = state
        .calls
        .spawn(async move { service.provision(&namespace, &document).await });
    match call.await {
        Ok(answer) => answer.map_err(ProvisionRefusal::Service),
        Err(_) => Err(ProvisionRefusal::Task),
    }
}

impl From<BodyError> for ProvisionRefusal {
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

impl IntoResponse for ProvisionRefusal {
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
            Self::Service(ProvisionError::Refused { step, why }) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({
                    "message": format!(
                        "500 Internal Server Error - the database refuses {step}: SQLSTATE class {} ({})",
                        why.class, why.meaning()
                    ),
                    "sqlstate_class": why.class,
                }),
            ),
            Self::Service(ProvisionError::Unavailable { .. } | ProvisionError::Deadline)
            | Self::Task => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "message": "503 Service Unavailable" }),
            ),
        };
        (status, Json(body)).into_response()
    }
}

impl ProvisionRefusal {
    /// What the answer does not say. A portal that cannot be asked and a database that fails are
    /// for a person to see to.
    fn log(&self) {
        match self {
            Self::Token(TokenError::Key(token::KeyLookupError::Portal(why))) => {
                tracing::error!(
                    event = "portal_keys_unavailable",
                    why,
                    "no token can be verified"
                );
            }
            Self::Token(why) => {
                tracing::warn!(event = "provisioning_token_refused", %why, "a call without a valid token");
            }
            Self::Service(ProvisionError::Refused { step, why }) => {
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
