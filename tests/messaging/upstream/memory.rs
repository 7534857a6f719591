//! An upstream in memory, for virtual time, which does not mix with sockets; and the clients'
//! configurations.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use lookup_gitlab_sync::{
    config::{CallsConfig, GitLabConfig, LookupConfig, LookupCredentials, Secret},
    gitlab,
    pause::WriteSwitch,
    upstream::{Transport, TransportError, UpstreamResponse},
};
use reqwest::{Request, StatusCode, header::HeaderMap};
use tokio::time::Instant;
use url::Url;

pub fn calls() -> CallsConfig {
    CallsConfig {
        timeout: Duration::from_secs(10),
        concurrency: 8,
        requests_per_minute: None,
        read_attempts: 2,
        max_response_bytes: 1 << 20,
        authority: None,
    }
}

pub fn gitlab_config(url: &Url) -> GitLabConfig {
    GitLabConfig {
        url: url.clone(),
        token: Secret::from("glpat-secret-token"),
        read_token: None,
        calls: calls(),
    }
}

pub fn gitlab(url: &Url) -> gitlab::Client {
    gitlab::Client::new(&gitlab_config(url), Some(WriteSwitch::unwatched())).unwrap()
}

pub fn lookup_config(url: &Url) -> LookupConfig {
    LookupConfig {
        url: url.join("/lookup/v1").unwrap(),
        credentials: LookupCredentials::Basic {
            username: "a-group".to_owned(),
            password: Secret::from("secret-password"),
        },
        batch_size: 200,
        calls: calls(),
    }
}

pub fn gateway_config(url: &Url) -> LookupConfig {
    let credentials = LookupCredentials::Gateway {
        token_url: url.join("/oauth2/v1/token").unwrap(),
        client_id: "a-client".to_owned(),
        client_secret: Secret::from("secret-secret"),
        scope: None,
    };
    LookupConfig {
        credentials,
        ..lookup_config(url)
    }
}

/// GitLab's row for an administrator, with fields this service does not know.
pub fn row(id: u64) -> serde_json::Value {
    serde_json::json!({
        "id": id, "username": format!("ab{id}"), "name": "Secret Person", "email": "secret@example.ac.uk",
        "state": "active", "locked": false, "bot": false, "is_admin": false, "note": null,
        "created_at": "2021-10-01T09:00:00.000Z", "last_activity_on": "2024-03-02",
        "last_sign_in_at": "2024-02-01T08:00:00.000Z", "current_sign_in_at": null, "confirmed_at": null,
        "identities": [{"provider": "saml", "extern_uid": "ab1@example.ac.uk", "saml_provider_id": null}],
        "custom_attributes": [{"key": "blocked_by", "value": "svc/9001+2026-11-01 02:00:03 UTC"}],
        "a_field_of_tomorrow": {"nested": [1, 2.5, "three"]},
    })
}

pub const CURRENT_USER: &str = r#"{"id":1,"username":"lookup-gitlab-sync"}"#;

type Script = dyn Fn(&Request, usize) -> Scripted + Send + Sync;

/// What an upstream in memory does with a request.
pub enum Scripted {
    Answers(u16, &'static str),
    AnswersWith(u16, &'static str, Vec<(&'static str, &'static str)>),
    Refuses,
    Hangs,
}

/// Answers by a script, after `latency`.
#[derive(Clone)]
pub struct Memory {
    script: Arc<Script>,
    latency: Duration,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Memory {
    /// The script gets the request and its number, from 1.
    pub fn new(script: impl Fn(&Request, usize) -> Scripted + Send + Sync + 'static) -> Self {
        let latency = Duration::from_millis(10);
        Self {
            script: Arc::new(script),
            latency,
            asked: Arc::default(),
        }
    }

    pub fn gitlab(&self, calls: CallsConfig) -> gitlab::Client {
        let url = Url::parse("https://gitlab.example.ac.uk").unwrap();
        let config = GitLabConfig {
            calls,
            ..gitlab_config(&url)
        };
        gitlab::Client::over(
            Arc::new(self.clone()),
            &config,
            Some(WriteSwitch::unwatched()),
        )
        .unwrap()
    }

    /// When each request came.
    pub fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Memory {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Instant::now());
            asked.len()
        };
        Box::pin(async move {
            tokio::time::sleep(self.latency).await;
            let (status, body, extra) = match (self.script)(&request, number) {
                Scripted::Answers(status, body) => (status, body, Vec::new()),
                Scripted::AnswersWith(status, body, headers) => (status, body, headers),
                Scripted::Refuses => {
                    return Err(TransportError::Connect("connection refused".into()));
                }
                Scripted::Hangs => std::future::pending().await,
            };
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            for (name, value) in extra {
                headers.insert(name, value.parse().unwrap());
            }
            Ok(UpstreamResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: body.into(),
            })
        })
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
