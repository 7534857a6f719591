//! The recordings of a real GitLab are the simulated one's contract: every request is sent in the
//! recorded order with the recorded role, and the answer compared. What is left out is listed in
//! `crates/simulator/src/gitlab/unsupported.rs`, with reasons.

mod compare;
mod request;
mod stages;
mod wire;

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr, path::PathBuf};

use jiff::{Timestamp, tz::TimeZone};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use simulator::{
    gitlab::{GitLabSettings, SimulatedGitLab},
    population::Population,
};

use crate::asking::ask;

use compare::Book;
use request::Recorded;

/// In the order in which they were recorded.
const FILES: [&str; 3] = ["read", "write", "settings_and_faults"];

fn directory() -> PathBuf {
    testkit::project::root().join("crates/simulator/tests/servers/recorded")
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read(directory().join(format!("{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn requests(name: &str) -> Vec<Recorded> {
    let all: Vec<Value> = read(name);
    all.into_iter()
        .filter(|one| one.get("request").is_some())
        .map(|one| serde_json::from_value(one).unwrap())
        .collect()
}

fn book(address: SocketAddr) -> Book {
    let population: Value = read("population");
    let defaults = population["defaults"].as_object().unwrap();
    let rows = population["rows"].as_array().unwrap().iter().map(|row| {
        let mut full: Map<String, Value> = defaults.clone();
        full.extend(row.as_object().unwrap().clone());
        (row["id"].as_u64().unwrap(), full)
    });
    Book {
        keys: read("keysets"),
        rows: rows.collect(),
        address: address.to_string(),
    }
}

async fn start() -> (SimulatedGitLab, SocketAddr) {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let population = Population::from_recording(&directory(), today).unwrap();
    let gitlab = SimulatedGitLab::start(GitLabSettings {
        accounts: population.accounts().to_vec(),
        tokens: population.tokens().clone(),
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    let address = gitlab
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    (gitlab, address)
}

#[tokio::test]
async fn any_page_of_a_real_gitlab_is_read_as_a_population() {
    let (gitlab, _) = start().await;
    let path =
        "/users?pagination=keyset&order_by=id&sort=asc&per_page=200&with_custom_attributes=true";
    let page = ask(&gitlab, "GET", path).await;
    let folder = tempfile::TempDir::new().unwrap();
    let users = folder.path().join("users.json");
    let people = folder.path().join("people.json");
    std::fs::write(&users, &page.body).unwrap();
    let crsid = json!({"scheme": "crsid", "value": "ab123"});
    let person = json!([{"cancelled": false, "identifier": crsid}]);
    std::fs::write(&people, person.to_string()).unwrap();
    let population = Population::from_files(&users, &people).unwrap();
    assert_eq!(population.accounts().len(), page.ids().len());
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_it_was_recorded() {
    let (gitlab, address) = start().await;
    let book = book(address);
    let mut report = String::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = Vec::new();
    for file in FILES {
        let (mut held, mut count) = (0, 0);
        let mut before = String::new();
        let all = requests(file);
        for recorded in &all {
            stages::prepare(&gitlab, address, &before, recorded).await;
            before.clone_from(&recorded.name);
            let reply = recorded.request.send(address).await;
            if reply.status == 501 {
                let message: Value = serde_json::from_str(&reply.body).unwrap();
                let message = message["message"].as_str().unwrap();
                let reason = message.split_once(": ").unwrap().1.to_owned();
                *left_out.entry(reason).or_default() += 1;
                count += 1;
                continue;
            }
            let differences = book.compare(recorded, &reply, file == "read");
            if differences.is_empty() {
                held += 1;
            } else {
                let asked = format!(
                    "{} {} as {}",
                    recorded.request.method, recorded.request.path, recorded.request.token_role
                );
                different.push(format!(
                    "{file} {} ({asked:.200})\n    {}",
                    recorded.name,
                    differences.join("\n    ")
                ));
            }
        }
        let all = all.len();
        writeln!(
            report,
            "{file}: {all} requests, {held} held, {count} left out"
        )
        .unwrap();
    }
    for (reason, count) in &left_out {
        writeln!(report, "{count:3} left out: {reason}").unwrap();
    }
    assert!(
        different.is_empty(),
        "{} different:\n{}\n{report}",
        different.len(),
        different.join("\n")
    );
    insta::assert_snapshot!(report);
}
