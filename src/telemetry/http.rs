//! The ports of the process: one on which the platform asks how it is, and one for a stage that the
//! world may ask.
//!
//! Where a stage is asked over HTTP, health and metrics have a port of their own, and its own port
//! says no more than whether all is well: reasons name hosts and users.

mod connections;
mod late_routes;

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::late_routes::LateRoutes;
use super::{
    health::{HealthChecks, HealthReport},
    metrics::Metrics,
};

/// Answers `GET /livez`, `/readyz`, `/healthy`, `/status` and `/metrics`; 404 and 405 to all else.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    health: HealthChecks,
    metrics: Metrics,
    public: Option<PublicListener>,
}

/// The port of the stages that are asked over HTTP.
#[derive(Debug)]
struct PublicListener {
    listener: TcpListener,
    routes: LateRoutes,
    linger: Duration,
}

/// How long a client that is slow to take its last answer can hold up the end.
const LINGER: Duration = Duration::from_secs(1);

/// Connections at once of those who ask for health and metrics.
const OWN_CONNECTIONS: usize = 20;

/// Connections at once of the stages' clients: more than Cloud Run sends an instance, and with all
/// else that is open less than the 256 files that the smallest systems allow.
const PUBLIC_CONNECTIONS: usize = 100;

impl HttpServer {
    /// Takes the port; connections wait until [`Self::serve`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        health: HealthChecks,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            health,
            metrics,
            public: None,
        })
    }

    /// Answers with `routes` on `listener` too, once they are open, and at the end gives their clients up to `linger`
    /// for what was asked before.
    #[must_use]
    pub fn with_public(
        mut self,
        listener: TcpListener,
        routes: LateRoutes,
        linger: Duration,
    ) -> Self {
        self.public = Some(PublicListener {
            listener,
            routes,
            linger: linger.max(LINGER),
        });
        self
    }

    /// The address taken, its port chosen by the system if 0 was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`, then finishes what was asked before, within a second or the time of
    /// [`Self::with_public`].
    ///
    /// # Errors
    /// When connections can no longer be accepted.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let (health, metrics) = (self.health, self.metrics);
        let linger = self.public.as_ref().map_or(LINGER, |public| public.linger);
        let own = connections::serve(
            self.listener,
            routes(health.clone(), metrics.clone()),
            OWN_CONNECTIONS,
            stop.clone(),
        );
        let public = async {
            let Some(PublicListener {
                listener, routes, ..
            }) = self.public
            else {
                return Ok(());
            };
            let late = move |request| routes.answer(request);
            let routes = public_routes(health).fallback(late);
            connections::serve(listener, routes, PUBLIC_CONNECTIONS, stop.clone()).await
        };
        let lingered = async {
            stop.cancelled().await;
            tokio::time::sleep(linger).await;
        };
        let upkeep = metrics.keep_up(stop.clone());
        tokio::select! {
            served = async { tokio::try_join!(own, public) } => served.map(drop),
            ((), ()) = async { tokio::join!(lingered, upkeep) } => Ok(()),
        }
    }
}

fn routes(health: HealthChecks, metrics: Metrics) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|State(health): State<HealthChecks>| async move { answer(health.live().await) }),
        )
        .route(
            "/readyz",
            get(|State(health): State<HealthChecks>| async move { answer(health.ready().await) }),
        )
        .route("/healthy", get("ok"))
        .route("/status", get("ok"))
        .with_state(health)
        .route(
            "/metrics",
            get(|State(metrics): State<Metrics>| async move { page(metrics.render()) }),
        )
        .with_state(metrics)
}

/// What anybody may know.
fn public_routes(health: HealthChecks) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|State(health): State<HealthChecks>| async move { bare(&health.live().await) }),
        )
        .route(
            "/readyz",
            get(|State(health): State<HealthChecks>| async move { bare(&health.ready().await) }),
        )
        .route("/healthy", get("ok"))
        .route("/status", get("ok"))
        .with_state(health)
}

fn answer(report: HealthReport) -> impl IntoResponse {
    (status(&report), Json(report))
}

fn bare(report: &HealthReport) -> impl IntoResponse + use<> {
    (status(report), Json(json!({ "ok": report.ok })))
}

fn status(report: &HealthReport) -> StatusCode {
    if report.ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn page(text: String) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
}

#[cfg(test)]
mod tests;
