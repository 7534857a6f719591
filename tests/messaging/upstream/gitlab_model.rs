//! GitLab's listing in memory, for virtual time, as the real one was seen to answer: cursors of any
//! id, a 500 for every page that holds an account it cannot show, and one for a page behind the
//! last account.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use futures::future::BoxFuture;
use lookup_gitlab_sync::{
    config::{CallsConfig, GitLabConfig},
    gitlab,
    upstream::{Transport, TransportError, UpstreamResponse},
};
use reqwest::{Request, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use url::Url;

use super::memory::{calls, gitlab_config, row};

/// What is done with a request instead: see [`Model::meddle`].
pub enum Instead {
    /// This status, with GitLab's body for it.
    Status(u16),
    /// The connection is reset.
    Reset,
    /// The true answer, so much later.
    Late(Duration),
    /// The true rows without what only administrators see.
    Reduced,
}

type Meddler = dyn Fn(&str, usize) -> Option<Instead> + Send + Sync;

/// Who is there, and how they are shown.
#[derive(Clone)]
pub struct Model(Arc<Mutex<Inner>>);

struct Inner {
    /// Every account; `false` is not human.
    accounts: BTreeMap<u64, bool>,
    unshown: BTreeSet<u64>,
    /// Whether next pages are named.
    headers: bool,
    /// Whether a page behind the last account is a 500, as in GitLab.
    fails_behind_the_end: bool,
    meddler: Arc<Meddler>,
    asked: Vec<String>,
}

/// What `GET /user` and the token's own account have.
pub const OWN: u64 = 1_000_000_007;

impl Model {
    pub fn of(humans: impl IntoIterator<Item = u64>) -> Self {
        let mut accounts: BTreeMap<u64, bool> = humans.into_iter().map(|id| (id, true)).collect();
        accounts.insert(OWN, false);
        Self(Arc::new(Mutex::new(Inner {
            accounts,
            unshown: BTreeSet::new(),
            headers: true,
            fails_behind_the_end: true,
            meddler: Arc::new(|_, _| None),
            asked: Vec::new(),
        })))
    }

    pub fn with_others(self, others: impl IntoIterator<Item = u64>) -> Self {
        self.change(|inner| {
            inner
                .accounts
                .extend(others.into_iter().map(|id| (id, false)));
        })
    }

    pub fn not_showing(self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.change(|inner| inner.unshown.extend(ids))
    }

    pub fn without_headers(self) -> Self {
        self.change(|inner| inner.headers = false)
    }

    pub fn empty_behind_the_end(self) -> Self {
        self.change(|inner| inner.fails_behind_the_end = false)
    }

    /// `meddler` gets the target of each request and its number, from 1.
    pub fn meddle(
        self,
        meddler: impl Fn(&str, usize) -> Option<Instead> + Send + Sync + 'static,
    ) -> Self {
        self.change(|inner| inner.meddler = Arc::new(meddler))
    }

    pub fn remove(&self, id: u64) {
        self.0.lock().unwrap().accounts.remove(&id);
    }

    pub fn add(&self, id: u64) {
        self.0.lock().unwrap().accounts.insert(id, true);
    }

    /// What was asked: paths and queries.
    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    pub fn client(&self) -> gitlab::Client {
        let config = GitLabConfig {
            calls: CallsConfig {
                max_response_bytes: 16 << 20,
                ..calls()
            },
            ..gitlab_config(&Url::parse("https://gitlab.example.ac.uk").unwrap())
        };
        gitlab::Client::over(Arc::new(self.clone()), &config, None).unwrap()
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        change(&mut self.0.lock().unwrap());
        self
    }
}

impl Transport for Model {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let url = request.url().clone();
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let (number, meddler) = {
            let mut inner = self.0.lock().unwrap();
            inner.asked.push(target.clone());
            (inner.asked.len(), Arc::clone(&inner.meddler))
        };
        let instead = meddler(&target, number);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let mut reduced = false;
            match instead {
                Some(Instead::Status(status)) => {
                    return Ok(answer(status, &json!({"message": "as scripted"}), None));
                }
                Some(Instead::Reset) => {
                    return Err(TransportError::Broken("connection reset".into()));
                }
                Some(Instead::Late(late)) => tokio::time::sleep(late).await,
                Some(Instead::Reduced) => reduced = true,
                None => {}
            }
            let mut answer = self.0.lock().unwrap().answer(&url);
            if reduced {
                let text = String::from_utf8(answer.body.to_vec()).unwrap();
                answer.body = text.replace("\"is_admin\"", "\"nothing\"").into();
            }
            Ok(answer)
        })
    }
}

impl Inner {
    fn answer(&self, url: &Url) -> UpstreamResponse {
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        match url.path().trim_start_matches("/api/v4/") {
            "user" => answer(
                200,
                &json!({"id": OWN, "username": "lookup-gitlab-sync"}),
                None,
            ),
            "users" if query.contains_key("page") => self.numbered(&query),
            "users" => self.keyset(&query),
            path => {
                let id: u64 = path.trim_start_matches("users/").parse().unwrap();
                match self.accounts.get(&id) {
                    None => answer(404, &json!({"message": "404 User Not Found"}), None),
                    Some(_) if self.unshown.contains(&id) => broken(),
                    Some(_) => answer(200, &row(id), None),
                }
            }
        }
    }

    fn humans(&self) -> impl DoubleEndedIterator<Item = u64> {
        let humans = self.accounts.iter().filter(|(_, human)| **human);
        humans.map(|(id, _)| *id)
    }

    fn keyset(&self, query: &BTreeMap<String, String>) -> UpstreamResponse {
        let size: usize = query["per_page"].parse().unwrap();
        let cursor = query.get("cursor").map(|cursor| {
            let cursor = BASE64_URL_SAFE.decode(cursor).unwrap();
            let cursor: Value = serde_json::from_slice(&cursor).unwrap();
            assert_eq!(cursor["_kd"], "n");
            cursor["id"].as_str().unwrap().parse::<u64>().unwrap()
        });
        let mut ids: Vec<u64> = match query["sort"].as_str() {
            "asc" => self
                .humans()
                .filter(|id| cursor.is_none_or(|cursor| *id > cursor))
                .collect(),
            _ => self
                .humans()
                .rev()
                .filter(|id| cursor.is_none_or(|cursor| *id < cursor))
                .collect(),
        };
        let more = ids.len() > size;
        ids.truncate(size);
        if ids.is_empty() && cursor.is_some() && self.fails_behind_the_end {
            return broken();
        }
        let next = ids.last().filter(|_| more && self.headers).copied();
        self.rows(&ids, next)
    }

    fn numbered(&self, query: &BTreeMap<String, String>) -> UpstreamResponse {
        let page: usize = query["page"].parse().unwrap();
        if page > 50_000 {
            return answer(
                405,
                &json!({"error": "Offset pagination has a maximum"}),
                None,
            );
        }
        let ids: Vec<u64> = self.humans().skip(page - 1).take(1).collect();
        self.rows(&ids, None)
    }

    fn rows(&self, ids: &[u64], next: Option<u64>) -> UpstreamResponse {
        if ids.iter().any(|id| self.unshown.contains(id)) {
            return broken();
        }
        let rows: Vec<Value> = ids.iter().map(|id| row(*id)).collect();
        answer(200, &Value::from(rows), next)
    }
}

fn broken() -> UpstreamResponse {
    answer(500, &json!({"message": "500 Internal Server Error"}), None)
}

fn answer(status: u16, body: &Value, next: Option<u64>) -> UpstreamResponse {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    if let Some(id) = next {
        let cursor = BASE64_URL_SAFE.encode(json!({"id": id.to_string(), "_kd": "n"}).to_string());
        headers.insert("x-next-cursor", cursor.parse().unwrap());
    }
    UpstreamResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.to_string().into(),
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Model")
    }
}
