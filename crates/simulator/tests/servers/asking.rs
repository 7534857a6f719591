//! A plain client: what is sent and what comes back, nothing hidden.

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use simulator::gitlab::{GitLabSettings, SimulatedGitLab, SimulatedUser};

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn ids(&self) -> Vec<u64> {
        let rows = self.json();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_u64().unwrap())
            .collect()
    }
}

pub fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer {
        status,
        headers,
        body: response.text().await.unwrap(),
    }
}

pub async fn gitlab(accounts: Vec<SimulatedUser>) -> SimulatedGitLab {
    SimulatedGitLab::start(GitLabSettings {
        accounts,
        ..GitLabSettings::default()
    })
    .await
    .unwrap()
}

/// A request with the administrator's token.
pub fn request(gitlab: &SimulatedGitLab, method: &str, path: &str) -> RequestBuilder {
    let method: Method = method.parse().unwrap();
    client()
        .request(method, format!("{}/api/v4{path}", gitlab.url()))
        .header("private-token", gitlab.token())
}

pub async fn ask(gitlab: &SimulatedGitLab, method: &str, path: &str) -> Answer {
    send(request(gitlab, method, path)).await
}

pub async fn ask_with(gitlab: &SimulatedGitLab, token: &str, path: &str) -> Answer {
    let url = format!("{}/api/v4{path}", gitlab.url());
    send(client().get(url).header("private-token", token)).await
}

/// One account, 42.
pub async fn one() -> SimulatedGitLab {
    gitlab(vec![SimulatedUser::new(42, "ab123")]).await
}

/// Asks a control endpoint.
pub async fn control(
    gitlab: &SimulatedGitLab,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let method: Method = method.parse().unwrap();
    let request = client().request(method, format!("{}/simulate/{path}", gitlab.url()));
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}
