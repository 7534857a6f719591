//! One recorded request with its answer, and how it is sent.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use super::wire::{self, Reply};

#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub name: String,
    pub request: Request,
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    pub body_starts: Option<String>,
    pub body_id: Option<u64>,
    pub body_state: Option<String>,
    pub body_ids: Option<Vec<u64>>,
    pub row_keys: Option<Value>,
    pub body_custom_attributes: Option<Vec<(String, String)>>,
    pub details: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub token_role: String,
    pub body: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
}

impl Request {
    pub async fn send(&self, address: SocketAddr) -> Reply {
        let own = |name: &str| {
            self.headers
                .keys()
                .any(|own| own.eq_ignore_ascii_case(name))
        };
        let mut headers = Vec::new();
        if !own("host") {
            headers.push(("host".to_owned(), address.to_string()));
        }
        if self.token_role != "none" && !own("private-token") {
            let secret = format!("role-{}", self.token_role);
            headers.push(("private-token".to_owned(), secret));
        }
        for (name, value) in &self.headers {
            if let Some(value) = value {
                headers.push((name.clone(), secrets(value)));
            }
        }
        // Written short in the recording.
        let path = secrets(&self.path).replace("xxxxxxxxxxxxxxxxx…(9000 x)", &"x".repeat(9_000));
        let body = self.body.as_deref().unwrap_or_default();
        wire::send(
            address,
            &self.method,
            &path,
            &headers,
            &body.replace('…', &"y".repeat(100_000)),
        )
        .await
    }
}

fn secrets(text: &str) -> String {
    text.replace("@TOK", "role-admin")
        .replace("@EXPIRED", "role-expired")
}
