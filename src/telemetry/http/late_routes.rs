//! Routes that are there only once the process has started.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::{sync::watch, time::timeout};

/// How long a request waits for the start. Its client would have to ask again at once, and a
/// platform sends requests as soon as the process is alive.
const HELD: Duration = Duration::from_secs(20);
/// What a client is asked to wait then, in seconds.
const AGAIN_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The routes of a process that starts: requests wait for them, and are answered 503 where they do
/// not come soon. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LateRoutes(watch::Sender<Option<Router>>);

impl Default for LateRoutes {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl LateRoutes {
    /// Answers on `routes` from now on, those who wait included.
    pub fn open(&self, routes: Router) {
        self.0.send_replace(Some(routes));
    }

    /// Answers `request` once there are routes.
    pub(super) async fn answer(self, request: Request) -> Response {
        let mut opened = self.0.subscribe();
        let routes = timeout(HELD, opened.wait_for(Option::is_some)).await;
        let routes = routes
            .ok()
            .and_then(Result::ok)
            .and_then(|routes| routes.clone());
        match routes {
            Some(routes) => answered(TowerToHyperService::new(routes).call(request).await),
            None => starting(),
        }
    }
}

fn answered(response: Result<Response, Infallible>) -> Response {
    match response {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn starting() -> Response {
    let told = Json(json!({ "error": "the service is starting" }));
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(RETRY_AFTER, AGAIN_AFTER)],
        told,
    )
        .into_response()
}
