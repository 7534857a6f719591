//! A server on a real socket that answers as a test scripts it, and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
};
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use url::Url;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which request this is, from 1.
    pub number: usize,
    pub method: String,
    /// Path and query, undecoded.
    pub target: String,
    pub headers: axum::http::HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
    end: UserSyncResult,
}

/// How an answer's body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum UserSyncResult {
    Whole,
    Cut,
    Never,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
            delay: Duration::ZERO,
            end: UserSyncResult::Whole,
        }
    }

    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body)
    }

    pub fn html(status: u16) -> Self {
        Self::new(
            status,
            "text/html; charset=utf-8",
            "<html><h1>Down for maintenance, says Secret Person</h1></html>",
        )
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn bare(mut self) -> Self {
        self.headers.clear();
        self
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The connection breaks where the body's end should be.
    pub fn cut(mut self) -> Self {
        self.end = UserSyncResult::Cut;
        self
    }

    /// The body is repeated until the client goes away.
    pub fn endless(mut self) -> Self {
        self.end = UserSyncResult::Never;
        self
    }

    fn response(self) -> Response {
        let whole = Bytes::from(self.body);
        let body = match self.end {
            UserSyncResult::Whole => Body::from(whole),
            UserSyncResult::Cut => {
                let broken = Err(std::io::Error::other("cut"));
                Body::from_stream(stream::iter([Ok(whole), broken]))
            }
            UserSyncResult::Never => {
                Body::from_stream(stream::repeat(whole).map(Ok::<_, std::io::Error>))
            }
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body).unwrap()
    }
}

type Log = Arc<Mutex<Vec<Asked>>>;
type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server; it stops when dropped.
pub struct Server {
    pub url: Url,
    asked: Log,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Log::default();
        let script: Arc<Script> = Arc::new(script);
        let router = Router::new()
            .fallback(answer)
            .with_state((Arc::clone(&asked), script));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, task }
    }

    /// Answers everything the same.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State((asked, script)): State<(Log, Arc<Script>)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let this = {
        let mut asked = asked.lock().unwrap();
        let this = Asked {
            number: asked.len() + 1,
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: parts.headers,
            body,
        };
        asked.push(this.clone());
        this
    };
    let reply = script(&this);
    tokio::time::sleep(reply.delay).await;
    reply.response()
}
