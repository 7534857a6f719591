//! What stands where the provisioning API is: it keeps what it was sent, and answers as it is told
//! or as the real one does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

/// What becomes of one call.
#[derive(Clone)]
pub enum Turn {
    /// This status with this JSON.
    Json(u16, Value),
    /// 200 without a body.
    Empty,
    /// This status with a page of HTML.
    Page(u16),
    /// 200 when told so, or never.
    When(Arc<Notify>),
    /// The real API does its work; its answer does not arrive.
    LoseAnswer,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub path: String,
    pub token: String,
    /// For what stands in front of the API.
    pub identity: Option<String>,
    pub authorization: Option<String>,
    pub body: Value,
}

#[derive(Clone)]
pub struct Receiver {
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    calls: Mutex<Vec<Call>>,
    turns: Mutex<VecDeque<Turn>>,
    /// Where the real API is.
    behind: Mutex<Option<String>>,
    /// Whether it can fetch the portal's keys.
    verifies: Mutex<bool>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            turns: Mutex::default(),
            behind: Mutex::default(),
            verifies: Mutex::new(true),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// What becomes of the next calls, one after the other; of those after them what the real API
    /// answers, or 200.
    pub fn then(&self, turns: impl IntoIterator<Item = Turn>) {
        self.shared.turns.lock().unwrap().extend(turns);
    }

    /// From now on nothing of what was said with [`Self::then`].
    pub fn forget_turns(&self) {
        self.shared.turns.lock().unwrap().clear();
    }

    pub fn forward_to(&self, behind: &str) {
        *self.shared.behind.lock().unwrap() = Some(behind.to_owned());
    }

    pub fn verifies_tokens(&self, verifies: bool) {
        *self.shared.verifies.lock().unwrap() = verifies;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// The seats that each call carried.
    pub fn seats(&self) -> Vec<i64> {
        let seats = |call: &Call| {
            call.body["provision"]["base_product"]["seats"]
                .as_i64()
                .unwrap()
        };
        self.calls().iter().map(seats).collect()
    }

    /// Waits for that many calls.
    pub async fn received(&self, count: usize) {
        testkit::wait::until("the call", async || self.calls().len() >= count).await;
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::GET {
        // The probe: it answers at all.
        return answered(404, &json!({ "error": "404 Not Found" }));
    }
    if uri.path().contains("/namespaces/0/") {
        let verifies = *shared.verifies.lock().unwrap();
        return if verifies {
            answered(404, &json!({ "message": "404 Namespace Not Found" }))
        } else {
            answered(500, &json!({ "message": "500 Internal Server Error" }))
        };
    }
    let token = headers["x-customers-dot-internal-token"].to_str().unwrap();
    let text = |name| Some(headers.get(name)?.to_str().unwrap().to_owned());
    shared.calls.lock().unwrap().push(Call {
        path: uri.path().to_owned(),
        token: token.to_owned(),
        identity: text("x-serverless-authorization"),
        authorization: text("authorization"),
        body: serde_json::from_slice(&body).unwrap(),
    });
    let behind = shared.behind.lock().unwrap().clone();
    let turn = shared.turns.lock().unwrap().pop_front();
    match (turn, behind) {
        (Some(Turn::Json(status, value)), _) => answered(status, &value),
        (Some(Turn::Page(status)), _) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(CONTENT_TYPE, "text/html")], "<html>a page</html>").into_response()
        }
        (Some(Turn::When(notify)), _) => {
            notify.notified().await;
            StatusCode::OK.into_response()
        }
        (Some(Turn::Empty), _) | (None, None) => StatusCode::OK.into_response(),
        (None, Some(behind)) => forward(&behind, &uri, token, body).await,
        (Some(Turn::LoseAnswer), behind) => {
            if let Some(behind) = behind {
                forward(&behind, &uri, token, body).await;
            }
            answered(504, &json!({ "message": "504" }))
        }
    }
}

fn answered(status: u16, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
        .into_response()
}

async fn forward(behind: &str, uri: &Uri, token: &str, body: Bytes) -> Response {
    let request = reqwest::Client::new()
        .post(format!("{behind}{}", uri.path()))
        .timeout(Duration::from_mins(1))
        .header("x-customers-dot-internal-token", token)
        .body(body);
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            match response.json().await {
                Ok(value) => answered(status, &value),
                Err(_) => answered(502, &json!({ "message": "502" })),
            }
        }
        Err(_) => answered(502, &json!({ "message": "502" })),
    }
}
