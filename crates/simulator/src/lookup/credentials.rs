//! Who may ask: the gateway's client credentials and bearer tokens, and the direct service's
//! groups.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::json;

use super::{CLIENT_ID, CLIENT_SECRET, GROUP, GROUP_PASSWORD, SharedLookup, answers};
use crate::control::lock;

/// The access tokens that were given out.
#[derive(Debug)]
pub(super) struct AccessTokens {
    lifetime: Duration,
    issued: u64,
    expiry: BTreeMap<String, Timestamp>,
}

impl AccessTokens {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            issued: 0,
            expiry: BTreeMap::new(),
        }
    }

    fn issue(&mut self, now: Timestamp) -> String {
        self.issued += 1;
        let token = format!("simulated-access-token-{}", self.issued);
        self.expiry.insert(
            token.clone(),
            now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX),
        );
        token
    }

    /// Every token given out so far is refused from now on, though not expired.
    pub(super) fn revoke(&mut self) {
        self.expiry.clear();
    }

    /// The refusal of this token, if it is refused.
    fn refusal(&self, token: &str, now: Timestamp) -> Option<Response> {
        let (text, code) = match self.expiry.get(token) {
            None => (
                "Invalid Access Token",
                "keymanagement.service.invalid_access_token",
            ),
            Some(expiry) if *expiry <= now => (
                "Access Token expired",
                "keymanagement.service.access_token_expired",
            ),
            Some(_) => return None,
        };
        Some(answers::fault(StatusCode::UNAUTHORIZED, text, code))
    }
}

/// `POST /oauth2/v1/token`.
pub(super) async fn token(
    State(app): State<SharedLookup>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).cloned();
    let client = basic(&headers).or_else(|| Some((field("client_id")?, field("client_secret")?)));
    if client.as_ref().is_none_or(|(id, _)| id != CLIENT_ID) {
        return answers::oauth(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "ClientId is Invalid",
        );
    }
    if client.is_none_or(|(_, secret)| secret != CLIENT_SECRET) {
        return answers::oauth(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Client credentials are invalid",
        );
    }
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => {
            return answers::oauth(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Unsupported grant type",
            );
        }
        None => {
            return answers::oauth(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Required param : grant_type",
            );
        }
    }
    let mut tokens = lock(&app.tokens);
    let access_token = tokens.issue(Timestamp::now());
    let body = json!({
        "access_token": access_token, "expires_in": tokens.lifetime.as_secs(), "token_type": "Bearer",
        "scope": field("scope").unwrap_or_default(),
    });
    Json(body).into_response()
}

/// Lets requests with a bearer token that is good through to Lookup.
pub(super) async fn at_the_gateway(
    State(app): State<SharedLookup>,
    request: Request,
    next: Next,
) -> Response {
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(token) = authorization.and_then(|value| value.strip_prefix("Bearer ")) else {
        return answers::fault(
            StatusCode::UNAUTHORIZED,
            "Invalid access token",
            "oauth.v2.InvalidAccessToken",
        );
    };
    let refusal = lock(&app.tokens).refusal(token, Timestamp::now());
    match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// Lets a group with its password through. Anonymous callers are turned away, as they are from
/// outside the university.
pub(super) async fn at_the_service(request: Request, next: Next) -> Response {
    match basic(request.headers()) {
        Some((group, password))
            if (group.as_str(), password.as_str()) == (GROUP, GROUP_PASSWORD) =>
        {
            next.run(request).await
        }
        Some(_) | None => {
            let mut response = answers::error(StatusCode::UNAUTHORIZED, "Authentication failed");
            let challenge = axum::http::HeaderValue::from_static("Basic realm=\"Lookup\"");
            response.headers_mut().insert("www-authenticate", challenge);
            response
        }
    }
}

/// The user and password of an `Authorization: Basic`.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
