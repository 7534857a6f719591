//! The HTTP port: health, metrics and limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected has failed"
)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{HealthChecks, HttpServer, LateRoutes, Metrics};

struct RunningServer {
    address: SocketAddr,
    health: HealthChecks,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

async fn start() -> RunningServer {
    let (metrics, recorder) = Metrics::local().unwrap();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("sync_guard_refusals_total").increment(3);
        metrics::histogram!("sync_upstream_request_seconds", "upstream" => "gitlab").record(0.2);
    });
    let health = HealthChecks::new();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let port = HttpServer::bind(any_port, health.clone(), metrics)
        .await
        .unwrap();
    let address = port.address().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(port.serve(stop.clone()));
    RunningServer {
        address,
        health,
        stop,
        served,
    }
}

impl RunningServer {
    async fn ask(&self, method: Method, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        let answer = Client::new().request(method, url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(Method::GET, path).await
    }
}

#[tokio::test]
async fn the_platform_reads_ok_at_both_of_its_paths() {
    let running = start().await;
    assert_eq!(running.get("/healthy").await, (200, "ok".to_owned()));
    assert_eq!(running.get("/status").await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn what_is_not_ready_is_said_and_leaves_the_process_alive() {
    let running = start().await;
    running
        .health
        .register_liveness("user-worker", || async { Ok(()) });
    running.health.register_readiness("gitlab", || async {
        Err("closed since 02:00: 503".to_owned())
    });
    running
        .health
        .register_readiness("sync-tick-fan-out", || async { Ok(()) });
    let (status, body) = running.get("/readyz").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 503);
    let gitlab = json!({"name": "gitlab", "ok": false, "problem": "closed since 02:00: 503"});
    let fan_out = json!({"name": "sync-tick-fan-out", "ok": true});
    assert_eq!(body, json!({"ok": false, "checks": [gitlab, fan_out]}));
    assert_eq!(running.get("/livez").await.0, 200);
}

#[tokio::test]
async fn what_is_not_alive_is_said() {
    let running = start().await;
    assert_eq!(running.get("/livez").await.0, 200);
    running.health.register_liveness("fan-out", || async {
        Err("has not moved for 90 s".to_owned())
    });
    let (status, body) = running.get("/livez").await;
    assert_eq!(status, 503);
    assert!(body.contains("has not moved for 90 s"));
    assert_eq!(
        running.get("/readyz").await.0,
        200,
        "readiness knows nothing of liveness"
    );
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let (status, page) = start().await.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "# TYPE sync_guard_refusals_total counter",
        "# HELP sync_guard_refusals_total Runs that the guard refused",
        "sync_guard_refusals_total 3",
        "# TYPE sync_upstream_request_seconds histogram",
        r#"sync_upstream_request_seconds_bucket{upstream="gitlab",le="0.25"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[tokio::test]
async fn nothing_else_is_on_the_port() {
    let running = start().await;
    for path in ["/", "/livez/", "/admin", "/../livez/x", "/metrics/1"] {
        assert_eq!(running.get(path).await.0, 404, "{path}");
    }
    for path in ["/livez", "/readyz", "/healthy", "/status", "/metrics"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(running.ask(method, path).await.0, 405, "{path}");
        }
    }
}

/// A server with a public port too, and the address of that.
async fn start_public() -> (RunningServer, SocketAddr) {
    let (running, public, late) = start_late().await;
    late.open(stage_routes());
    (running, public)
}

fn stage_routes() -> axum::Router {
    axum::Router::new().route("/asked", axum::routing::get("answered"))
}

/// The same before its stage is there.
async fn start_late() -> (RunningServer, SocketAddr, LateRoutes) {
    let (metrics, _) = Metrics::local().unwrap();
    let health = HealthChecks::new();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let own = HttpServer::bind(any_port, health.clone(), metrics)
        .await
        .unwrap();
    let address = own.address().unwrap();
    let listener = tokio::net::TcpListener::bind(any_port).await.unwrap();
    let public = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let late = LateRoutes::default();
    let server = own.with_public(listener, late.clone(), Duration::ZERO);
    let serving = tokio::spawn(server.serve(stop.clone()));
    let running = RunningServer {
        address,
        health,
        stop,
        served: serving,
    };
    (running, public, late)
}

#[tokio::test]
async fn before_its_stage_is_there_a_public_port_is_alive_and_lets_requests_wait() {
    let (mut running, public, late) = start_late().await;
    running.address = public;
    assert_eq!(running.get("/livez").await.0, 200);
    // The second request is answered first: the other one waits.
    let waiting = running.get("/asked");
    let opening = async {
        assert_eq!(running.get("/livez").await.0, 200);
        late.open(stage_routes());
    };
    let (answer, ()) = tokio::join!(waiting, opening);
    assert_eq!(answer, (200, "answered".to_owned()));
    assert_eq!(running.ask(Method::POST, "/asked").await.0, 405);
    assert_eq!(running.get("/other").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_wait_for_a_stage_for_ever() {
    let request = axum::extract::Request::new(axum::body::Body::empty());
    let answer = LateRoutes::default().answer(request).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
}

#[tokio::test]
async fn the_public_port_says_no_reasons_and_has_no_metrics() {
    let (mut running, public) = start_public().await;
    running
        .health
        .register_readiness("ledger-database", || async {
            Err("connection refused: user sync at db.example.ac.uk".to_owned())
        });
    let own = running.get("/readyz").await;
    assert!(own.1.contains("user sync at db.example.ac.uk"));
    assert_eq!(running.get("/asked").await.0, 404);
    running.address = public;
    assert_eq!(
        running.get("/readyz").await,
        (503, r#"{"ok":false}"#.to_owned())
    );
    assert_eq!(
        running.get("/livez").await,
        (200, r#"{"ok":true}"#.to_owned())
    );
    assert_eq!(running.get("/metrics").await.0, 404);
    assert_eq!(running.get("/asked").await, (200, "answered".to_owned()));
}

/// Each has its place until its headers are late; who comes next waits, on both ports apart.
#[tokio::test]
async fn half_sent_requests_hold_places_no_longer_than_the_deadline_and_never_the_health_ports() {
    let (mut running, public) = start_public().await;
    let mut halves = Vec::new();
    for _ in 0..150 {
        let mut half = TcpStream::connect(public).await.unwrap();
        half.write_all(b"GET /asked HTTP/1.1\r\nHost: x")
            .await
            .unwrap();
        halves.push(half);
    }
    assert_eq!(running.get("/livez").await.0, 200);
    running.address = public;
    assert_eq!(running.get("/asked").await, (200, "answered".to_owned()));
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let running = start().await;
    let (metrics, _) = Metrics::local().unwrap();
    assert!(
        HttpServer::bind(running.address, HealthChecks::new(), metrics)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_stop_ends_the_server_and_frees_the_port() {
    let running = start().await;
    running.stop.cancel();
    running.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_client_that_never_finishes_cannot_hold_up_the_end() {
    let running = start().await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    slow.write_all(b"GET /li").await.unwrap();
    running.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(30), running.served).await;
    ended.expect("the server ends").unwrap().unwrap();
}
