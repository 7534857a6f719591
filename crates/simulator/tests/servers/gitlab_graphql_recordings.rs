//! Every GraphQL query that was recorded, and the feed of changes through REST, is sent in the
//! recorded order with the recorded role, and the whole answer compared.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use simulator::{
    gitlab::{GitLabSettings, SimulatedGitLab, SimulatedUser},
    population::Population,
};

use crate::asking::{Answer, client, send};

/// What is not compared, and why.
const LEFT_OUT: [(&str, &str); 1] = [(
    "activities since a day",
    "GET /user/activities: the service does not ask for it",
)];

/// The day of the recording, on which the tokens' owners were active.
const RECORDED: &str = "2026-11-28";

/// When the first account was made. The population's rows have milliseconds, as REST shows them,
/// and its cursor the rest.
const FIRST: &str = "2026-11-28T14:59:56.514294Z";

/// When the two accounts that the last requests change had changed before.
const BEFORE: [(u64, &str); 2] = [
    (135, "2026-11-28T16:35:23.773468Z"),
    (136, "2026-11-28T16:35:39.381659Z"),
];

#[derive(Deserialize)]
struct Recorded {
    name: String,
    request: RecordedRequest,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

#[derive(Deserialize)]
struct RecordedRequest {
    method: String,
    path: String,
    token_role: String,
    body: Option<Value>,
    body_text: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn directory() -> PathBuf {
    testkit::project::root().join("crates/simulator/tests/servers/recorded")
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read(directory().join("graphql").join(name)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn today() -> String {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC);
    now.date().to_string()
}

/// The users' recording as it was when GraphQL was recorded.
async fn start() -> SimulatedGitLab {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC);
    let users = Population::from_recording(&directory(), now.date()).unwrap();
    let known = users.accounts().iter();
    let known: BTreeMap<u64, &SimulatedUser> = known.map(|user| (user.id, user)).collect();
    let rows: Vec<Map<String, Value>> = read("population.json");
    let accounts = rows.into_iter().map(|mut row| {
        let id = row["id"].as_u64().unwrap();
        if row["last_activity_on"] == RECORDED {
            row.insert("last_activity_on".to_owned(), json!(today()));
        }
        if id == 1 {
            row.insert("created_at".to_owned(), json!(FIRST));
        }
        if let Some((_, at)) = BEFORE.iter().find(|(known, _)| *known == id) {
            row.insert("updated_at".to_owned(), json!(at));
            row.insert("state".to_owned(), json!("active"));
        }
        let row = SimulatedUser::from_row(Value::Object(row)).unwrap();
        match known.get(&id) {
            None => row,
            Some(user) => {
                let mut others = user.others.clone();
                others.extend(row.others.clone());
                SimulatedUser {
                    others,
                    filled: true,
                    hidden: user.hidden.clone(),
                    identities: user.identities.clone(),
                    is_admin: user.is_admin,
                    ..row
                }
            }
        }
    });
    SimulatedGitLab::start(GitLabSettings {
        accounts: accounts.collect(),
        tokens: users.tokens().clone(),
        ..GitLabSettings::default()
    })
    .await
    .unwrap()
}

impl RecordedRequest {
    async fn send(&self, gitlab: &SimulatedGitLab) -> Answer {
        let method: reqwest::Method = self.method.parse().unwrap();
        let mut request = client().request(method, format!("{}{}", gitlab.url(), self.path));
        if self.token_role != "none" {
            request = request.header("private-token", format!("role-{}", self.token_role));
        }
        let text = self.body_text.clone();
        let text = text.or_else(|| self.body.as_ref().map(Value::to_string));
        if let Some(text) = text {
            let kind = self.headers.get("Content-Type");
            let kind = kind.map_or("application/json", String::as_str);
            request = request.header("content-type", kind).body(text);
        }
        send(request).await
    }
}

/// Of REST's rows only these keys were kept.
fn kept(row: &Value) -> Value {
    json!({"id": row["id"], "username": row["username"], "state": row["state"]})
}

fn compare(recorded: &Recorded, answer: &Answer, url: &str) -> Vec<String> {
    let mut differences = Vec::new();
    if recorded.status != answer.status {
        differences.push(format!("status {} {}", recorded.status, answer.status));
    }
    let quoted = |day: &str| format!("\"lastActivityOn\":\"{day}\"");
    let body = answer.body.replace(&quoted(&today()), &quoted(RECORDED));
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| json!(body));
    let body = match &body {
        Value::Array(rows) => rows.iter().map(kept).collect(),
        _ => body,
    };
    if recorded.body != body {
        differences.push(format!("{:.1500}\n    {body:.1500}", recorded.body));
    }
    for (name, value) in &recorded.headers {
        let value = value.replace("http://localhost:3000", url);
        if answer.header(name) != Some(&value) {
            differences.push(format!("{name}: {value}, {:?}", answer.header(name)));
        }
    }
    differences
}

/// What was done between two requests without being recorded.
fn prepare(gitlab: &SimulatedGitLab, recorded: &Recorded) {
    if recorded.name == "feed: after a new name and a deactivation" {
        let change = |id, body| gitlab.change_user(id, body).unwrap();
        change(135, json!({"name": "A New Name"}));
        change(136, json!({"state": "deactivated"}));
    }
}

#[tokio::test]
async fn every_recorded_query_is_answered_as_it_was_recorded() {
    let gitlab = start().await;
    let all: Vec<Recorded> = read("graphql-and-feed.json");
    let mut different = Vec::new();
    let mut held = 0;
    for recorded in &all {
        if LEFT_OUT.iter().any(|(name, _)| *name == recorded.name) {
            continue;
        }
        prepare(&gitlab, recorded);
        let answer = recorded.request.send(&gitlab).await;
        let differences = compare(recorded, &answer, gitlab.url());
        if differences.is_empty() {
            held += 1;
        } else {
            different.push(format!(
                "{}\n    {}",
                recorded.name,
                differences.join("\n    ")
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(held, all.len() - LEFT_OUT.len());
}
