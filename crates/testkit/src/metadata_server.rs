//! Google Cloud's metadata server, as far as it gives identity tokens.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::portal::{now, unsigned};

/// Gives identity tokens on a real port, and keeps what it was asked.
#[derive(Clone, Debug)]
pub struct MetadataServer {
    /// As `GCE_METADATA_HOST` names it.
    pub host: String,
    shared: Arc<Mutex<MetadataState>>,
}

#[derive(Debug, Default)]
struct MetadataState {
    answer: MetadataAnswer,
    asked: Vec<String>,
    given: Vec<String>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum MetadataAnswer {
    /// A token that expires in so many seconds.
    Token(i64),
    /// A token with these claims.
    Claims(Value),
    /// This status with this body.
    Page(u16, String),
    /// Nothing, ever.
    Silence,
}

impl Default for MetadataAnswer {
    /// As Google's: a token for an hour.
    fn default() -> Self {
        Self::Token(3_600)
    }
}

impl MetadataServer {
    /// One that gives tokens for an hour.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::default();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, shared }
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: MetadataAnswer) {
        self.shared.lock().unwrap().answer = answer;
    }

    /// The path and query of each question.
    pub fn asked(&self) -> Vec<String> {
        self.shared.lock().unwrap().asked.clone()
    }

    /// The tokens that it gave.
    pub fn given(&self) -> Vec<String> {
        self.shared.lock().unwrap().given.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<MetadataState>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let claims = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(uri.to_string());
        if headers
            .get("metadata-flavor")
            .is_none_or(|it| it != "Google")
        {
            return StatusCode::FORBIDDEN.into_response();
        }
        match &shared.answer {
            MetadataAnswer::Token(seconds) => Some(json!({ "exp": now() + seconds })),
            MetadataAnswer::Claims(claims) => Some(claims.clone()),
            MetadataAnswer::Page(status, body) => {
                let status = StatusCode::from_u16(*status).unwrap();
                return (status, [("content-type", "text/html")], body.clone()).into_response();
            }
            MetadataAnswer::Silence => None,
        }
    };
    let Some(mut claims) = claims else {
        return std::future::pending().await;
    };
    let mut shared = shared.lock().unwrap();
    // Each one is another.
    claims["jti"] = json!(shared.asked.len());
    let token = format!(
        "{}.c2lnbmF0dXJl",
        unsigned(&json!({ "alg": "RS256" }), &claims)
    );
    shared.given.push(token.clone());
    // As Google's says it.
    ([("content-type", "text/html")], token).into_response()
}
