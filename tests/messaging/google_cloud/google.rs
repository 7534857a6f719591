//! Google's side: one address with TLS for gRPC and for tokens. Calls go on to the embedded broker,
//! if they are authorized; what each said of itself is kept.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::tls::{Authority, Certificate};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{Code, client::GrpcService, transport::Channel};

/// What a person's key file says of itself.
pub const REFRESH_TOKEN: &str = "a-refresh-token";
pub const QUOTA_PROJECT: &str = "paying-project";

/// One call, as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Such as `Publisher/GetTopic`.
    pub method: String,
    pub authorization: Option<String>,
    pub quota_project: Option<String>,
}

/// A refusal in the place of the true answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Such as `GetTopic`.
    pub method: &'static str,
    /// gRPC's number.
    pub code: u8,
    pub message: &'static str,
}

pub struct Google {
    shared: Arc<Shared>,
    port: u16,
    folder: TempDir,
    _serving: Serving,
}

struct Shared {
    /// The broker; `None` answers only what is refused.
    broker: Option<Channel>,
    seen: Mutex<Vec<Seen>>,
    refusals: Mutex<Vec<Refusal>>,
    tokens: Mutex<Tokens>,
}

struct Tokens {
    issued: Vec<String>,
    /// Seconds.
    lifetime: u64,
    /// Of how many of the last issued one is accepted.
    accepted: usize,
    revoked: bool,
}

struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Google {
    /// In front of the broker at `host`.
    pub async fn before(host: &str) -> Self {
        let broker = Channel::from_shared(format!("http://{host}")).unwrap();
        Self::start(Some(broker.connect().await.unwrap())).await
    }

    /// With nothing behind it.
    pub async fn alone() -> Self {
        Self::start(None).await
    }

    async fn start(broker: Option<Channel>) -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new("google");
        authority.publish(&folder.path().join("authority.pem"));
        let mut secured = authority.certify(Certificate::Good);
        secured.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(secured));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            broker,
            seen: Mutex::default(),
            refusals: Mutex::default(),
            tokens: Mutex::new(Tokens {
                issued: Vec::new(),
                lifetime: 3_600,
                accepted: usize::MAX,
                revoked: false,
            }),
        });
        let routes = Router::new()
            .route("/token", post(token))
            .fallback(call)
            .with_state(Arc::clone(&shared));
        let secured = Secured { listener, tls };
        let serving = tokio::spawn(async move { axum::serve(secured, routes).await.unwrap() });
        let google = Self {
            shared,
            port,
            folder,
            _serving: Serving(serving),
        };
        std::fs::write(google.key_file(), google.key().to_string()).unwrap();
        google
    }

    /// What `gcloud auth application-default login` writes, but for the token endpoint.
    fn key(&self) -> Value {
        json!({
            "type": "authorized_user",
            "client_id": "a-client",
            "client_secret": "a-secret",
            "refresh_token": REFRESH_TOKEN,
            "quota_project_id": QUOTA_PROJECT,
            "token_uri": format!("https://localhost:{}/token", self.port),
        })
    }

    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.json")
    }

    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Every token from now on lives for so many seconds, and only the last `accepted` are
    /// accepted.
    pub fn shorten_tokens(&self, lifetime: u64, accepted: usize) {
        let mut tokens = self.shared.tokens.lock().unwrap();
        (tokens.lifetime, tokens.accepted) = (lifetime, accepted);
    }

    /// Gives out no token any more.
    pub fn revoke(&self) {
        self.shared.tokens.lock().unwrap().revoked = true;
    }

    pub fn refuse(&self, method: &'static str, code: u8, message: &'static str) {
        self.shared.refusals.lock().unwrap().push(Refusal {
            method,
            code,
            message,
        });
    }

    pub fn tokens_issued(&self) -> usize {
        self.shared.tokens.lock().unwrap().issued.len()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

/// Connections with TLS; one that fails its handshake is passed over.
struct Secured {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.listener.accept().await
                && let Ok(stream) = self.tls.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn token(State(shared): State<Arc<Shared>>, Json(asked): Json<Value>) -> Response {
    let mut tokens = shared.tokens.lock().unwrap();
    if tokens.revoked || asked["refresh_token"] != REFRESH_TOKEN {
        let refusal = json!({
            "error": "invalid_grant",
            "error_description": "Token has been expired or revoked.",
        });
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    let token = format!("token-{}", tokens.issued.len());
    tokens.issued.push(token.clone());
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": tokens.lifetime}))
        .into_response()
}

async fn call(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let seen = Seen {
        method: request
            .uri()
            .path()
            .trim_start_matches("/google.pubsub.v1.")
            .to_owned(),
        authorization: text(request.headers(), AUTHORIZATION.as_str()),
        quota_project: text(request.headers(), "x-goog-user-project"),
    };
    shared.seen.lock().unwrap().push(seen.clone());
    if !shared.accepts(seen.authorization.as_deref()) {
        return status(16, "Request had invalid authentication credentials.");
    }
    let refusal = shared.refusal(&seen.method);
    match (refusal, shared.broker.clone()) {
        (Some(refusal), _) => status(refusal.code, refusal.message),
        (None, Some(broker)) => forward(broker, request).await,
        (None, None) => status(5, "Resource not found."),
    }
}

impl Shared {
    fn accepts(&self, authorization: Option<&str>) -> bool {
        let tokens = self.tokens.lock().unwrap();
        tokens
            .issued
            .iter()
            .rev()
            .take(tokens.accepted)
            .any(|token| authorization == Some(&format!("Bearer {token}")))
    }

    fn refusal(&self, method: &str) -> Option<Refusal> {
        let refusals = self.refusals.lock().unwrap();
        let refused = refusals
            .iter()
            .find(|refusal| method.ends_with(refusal.method));
        refused.cloned()
    }
}

async fn forward(mut broker: Channel, request: Request) -> Response {
    std::future::poll_fn(|context| {
        GrpcService::<tonic::body::Body>::poll_ready(&mut broker, context)
    })
    .await
    .unwrap();
    match GrpcService::call(&mut broker, request.map(tonic::body::Body::new)).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => failed(error),
    }
}

/// A call that the broker did not answer. Where its deadline passed on the way, Google says so, and
/// does not call itself unavailable: which of the three clocks on the way runs out first is chance.
fn failed(error: tonic::transport::Error) -> Response {
    let status_of = tonic::Status::from_error(Box::new(error));
    match status_of.code() {
        Code::Cancelled | Code::DeadlineExceeded => status(4, "the call's deadline has passed"),
        _ => status(14, status_of.message()),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().unwrap().to_owned())
}

/// An answer without a body, as gRPC has it.
fn status(code: u8, message: &str) -> Response {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", code.to_string())
        .header("grpc-message", message)
        .body(Body::empty())
        .unwrap()
}
