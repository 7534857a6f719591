//! The portal over HTTP: records syncs, and publishes the keys that its tokens are verified with.

pub mod recorder;
pub mod signing_keys;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::namespaces::{
    contract::{
        claims::KEY_SET_CACHE,
        document::{Document, InvalidDocument, rules::RuleViolation},
    },
    ledger::LedgerError,
    portal::{
        recorder::{RecordError, RequestedSync, SyncRecorder},
        signing_keys::SigningKeys,
    },
    request_body::{self, BodyError},
};
use crate::{
    config::Secret,
    messaging::RunId,
    upstream::{BuildError, Credential, credential_of},
};

/// Where a sync is recorded.
pub const SYNCS: &str = "/api/v1/namespaces/{id}/syncs";
/// Where the discovery document is.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where the keys are.
pub const JWKS: &str = "/.well-known/jwks.json";
/// Who asks, for the record; one line.
const REQUESTED_BY: &str = "x-requested-by";
/// The longest `requested_by`, in bytes.
const MAX_REQUESTED_BY: usize = 1000;
/// A body has to arrive in this time.
const BODY_DEADLINE: Duration = Duration::from_secs(20);

/// The portal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PortalApi {
    recorder: SyncRecorder,
    keys: SigningKeys,
    token: Arc<Credential>,
}

impl PortalApi {
    /// A portal whose clients present `token`. A token that is replaced in its file is in use
    /// within 30 s.
    ///
    /// # Errors
    /// A token that no header can carry.
    pub fn new(
        recorder: SyncRecorder,
        keys: SigningKeys,
        token: &Secret,
    ) -> Result<Self, BuildError> {
        let token = credential_of("PORTAL_TOKEN", token, str::to_owned)
            .ok_or(BuildError::Credentials("PORTAL_TOKEN"))?;
        Ok(Self {
            recorder,
            keys,
            token: Arc::new(token),
        })
    }

    /// Its routes, without a fallback.
    pub fn router(self) -> Router {
        Router::new()
            .route(SYNCS, post(record))
            .route(DISCOVERY, get(discovery))
            .route(JWKS, get(jwks))
            .with_state(self)
    }

    async fn knows(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return false;
        };
        let token = value.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        match token {
            // By hash, so that the duration reveals nothing about the token.
            Some(token) => {
                Sha256::digest(token) == Sha256::digest(self.token.value().await.as_bytes())
            }
            None => false,
        }
    }
}

/// Every answer but the good one.
#[derive(Debug)]
enum PortalRefusal {
    Token,
    Namespace,
    Document(InvalidDocument),
    Timeout,
    /// What GitLab would not carry out, and the same as one text.
    Rules(Vec<RuleViolation>, String),
    Record(RecordError),
}

impl From<RecordError> for PortalRefusal {
    fn from(error: RecordError) -> Self {
        let said = error.to_string();
        match error {
            RecordError::Ledger(
                LedgerError::Refused(broken) | LedgerError::RefusedBefore(broken),
            ) => Self::Rules(broken, said),
            error @ (RecordError::Ledger(_)
            | RecordError::Publish(_)
            | RecordError::NothingRecorded(_)) => Self::Record(error),
        }
    }
}

async fn record(
    State(portal): State<PortalApi>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PortalRefusal> {
    if !portal.knows(&headers).await {
        return Err(PortalRefusal::Token);
    }
    let namespace_id = id
        .ok()
        .and_then(|Path(id)| id.parse().ok())
        .filter(|id: &i64| *id > 0)
        .ok_or(PortalRefusal::Namespace)?;
    let body = request_body::read(body, BODY_DEADLINE)
        .await
        .map_err(|why| match why {
            BodyError::Timeout => PortalRefusal::Timeout,
            BodyError::TooLarge => PortalRefusal::Document(InvalidDocument::TooLarge),
        })?;
    let document = Document::parse(&body).map_err(PortalRefusal::Document)?;
    let run = RunId::new();
    let requested = portal
        .recorder
        .record(namespace_id, &document, requested_by(&headers), &run)
        .await
        .map_err(PortalRefusal::from)?;
    Ok(match requested {
        Some(requested) => accepted(namespace_id, &requested, &run),
        None => nothing_said(namespace_id),
    })
}

/// A document without a part changes nothing, and nothing is recorded.
fn nothing_said(namespace_id: i64) -> Response {
    let body = json!({
        "namespace_id": namespace_id,
        "changed": false,
        "message": "the document says nothing: nothing is recorded and nothing is sent",
    });
    (StatusCode::OK, Json(body)).into_response()
}

fn accepted(namespace_id: i64, requested: &RequestedSync, run: &RunId) -> Response {
    let status = if requested.recorded.changed {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let body = json!({
        "id": requested.recorded.sync_id,
        "namespace_id": namespace_id,
        "changed": requested.recorded.changed,
        "attrs_sha256": requested.recorded.sha256,
        "message_id": requested.message_id,
        "run": run.as_str(),
    });
    (status, Json(body)).into_response()
}

/// What does not fit on the record is left out of it.
fn requested_by(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(REQUESTED_BY)?.to_str().ok()?.trim();
    (1..=MAX_REQUESTED_BY).contains(&text.len()).then_some(text)
}

async fn discovery(State(portal): State<PortalApi>) -> Response {
    let issuer = portal.keys.issuer();
    kept(&json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{JWKS}"),
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(portal): State<PortalApi>) -> Response {
    kept(&json!(portal.keys.published().await))
}

/// A response that caches may keep for the time that a rotation allows for.
fn kept(body: &serde_json::Value) -> Response {
    let headers = [(
        CACHE_CONTROL,
        format!("public, max-age={}", KEY_SET_CACHE.as_secs()),
    )];
    (headers, Json(body)).into_response()
}

impl IntoResponse for PortalRefusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Token => {
                tracing::warn!(
                    event = "portal_token_refused",
                    "a request without the token"
                );
                let body = Json(json!({ "message": "401 Unauthorized" }));
                let headers = [(WWW_AUTHENTICATE, "Bearer")];
                return (StatusCode::UNAUTHORIZED, headers, body).into_response();
            }
            Self::Namespace => (
                StatusCode::BAD_REQUEST,
                json!({ "error": "id is invalid: expected GitLab's namespace id, from 1" }),
            ),
            Self::Document(invalid) => (
                StatusCode::BAD_REQUEST,
                json!({ "error": invalid.explained() }),
            ),
            Self::Rules(broken, said) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({ "message": said, "errors": broken }),
            ),
            Self::Timeout => (
                StatusCode::REQUEST_TIMEOUT,
                json!({ "message": "408 Request Timeout" }),
            ),
            Self::Record(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(event = "namespace_sync_not_recorded", %error, cause, "answered 503");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    json!({ "message": "503 Service Unavailable: repeat the request" }),
                )
            }
        };
        (status, Json(body)).into_response()
    }
}
