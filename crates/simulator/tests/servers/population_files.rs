//! Populations from pages saved from the real APIs.

use std::{error::Error, fs, path::PathBuf};

use serde_json::{Value, json};
use simulator::{
    gitlab::{GitLabSettings, OWNER, SimulatedGitLab, UserState},
    population::Population,
};
use tempfile::TempDir;

use crate::asking::ask;

/// A row as GitLab's documentation shows it.
fn row(id: u64, username: &str, state: &str) -> Value {
    json!({
        "id": id, "username": username, "public_email": null, "name": "A B", "state": state, "locked": false,
        "bot": false, "created_at": "2021-10-01T09:00:00.000Z", "last_activity_on": "2024-03-02",
        "external": false, "identities": [{"provider": "saml", "extern_uid": "x", "saml_provider_id": null}],
        "is_admin": false, "note": null, "a_key_of_tomorrow": [1, 2],
        "custom_attributes": [{"key": "blocked_by", "value": "svc/9001+2026-11-01 02:00:03 UTC"}],
    })
}

fn person(crsid: &str, cancelled: &Value) -> Value {
    json!({"cancelled": cancelled, "identifier": {"scheme": "crsid", "value": crsid}, "visibleName": "A"})
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn read(users: &str, people: &str) -> Result<Population, String> {
    let folder = TempDir::new().unwrap();
    let users = write(&folder, "users.json", users);
    let people = write(&folder, "people.json", people);
    Population::from_files(&users, &people).map_err(|error| {
        let cause = error
            .source()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{error}{cause}")
    })
}

#[tokio::test]
async fn rows_are_shown_again_as_they_were_saved() {
    let users = json!([row(1, "root", "active"), row(42, "ab123", "blocked")]).to_string();
    let population = read(
        &users,
        &json!([person("AB123", &json!("true"))]).to_string(),
    )
    .unwrap();
    let accounts = population.accounts().to_vec();
    let names: Vec<&str> = accounts
        .iter()
        .map(|account| account.username.as_str())
        .collect();
    assert_eq!(names, ["root", "ab123", OWNER]);
    assert_eq!(accounts[1].state, UserState::Blocked);
    assert_eq!(population.people()[0].crsid, "ab123");
    assert!(population.expected().is_empty());
    assert_eq!(
        population.check(&accounts.iter().cloned().map(|a| (a.id, a)).collect()),
        []
    );

    let gitlab = SimulatedGitLab::start(GitLabSettings {
        accounts,
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    assert_eq!(gitlab.owner(), 43);
    let rows = ask(
        &gitlab,
        "GET",
        "/users?username=ab123&with_custom_attributes=true",
    )
    .await
    .json();
    let mut expected = row(42, "ab123", "blocked");
    expected["web_url"] = json!(format!("{}/ab123", gitlab.url()));
    assert_eq!(rows[0], expected);
}

#[test]
fn pages_may_stand_in_an_array_or_one_after_the_other() {
    let people =
        |crsid| json!({"result": {"version": "1.2", "people": [person(crsid, &json!(true))]}});
    let nested = json!([[row(2, "a2", "active")], [row(3, "a3", "active")]]).to_string();
    let streamed = format!(
        "[{}]\n[{}]\n",
        row(2, "a2", "active"),
        row(3, "a3", "active")
    );
    let answers = format!("{}\n{}", people("a2"), people("a3"));
    for users in [nested, streamed] {
        let population = read(&users, &answers).unwrap();
        assert_eq!(population.accounts().len(), 3);
        assert_eq!(population.people().len(), 2);
    }
}

#[test]
fn a_file_that_is_no_population_is_refused_with_the_place_and_the_cure() {
    let users = json!([row(1, "root", "active")]).to_string();
    let people = json!([person("ab1", &json!(true))]).to_string();
    let without = |key: &str| {
        let mut row = row(2, "ab2", "active");
        row.as_object_mut().unwrap().remove(key);
        json!([row]).to_string()
    };
    let cases = [
        (read("[", &people), "users.json: not JSON"),
        (read("[]", &people), "users.json: no row in it"),
        (
            read("[7]", &people),
            "users.json: row 1 is no account of GitLab's users API: row: an object",
        ),
        (read(&without("state"), &people), "state: missing"),
        (
            read(&without("is_admin"), &people),
            "row 1 lacks is_admin; save the rows with an administrator's token",
        ),
        (
            read(&without("custom_attributes"), &people),
            "with_custom_attributes=true",
        ),
        (
            read(&users.replace("\"id\":1", "\"id\":\"one\""), &people),
            "id: \"one\" is not possible",
        ),
        (
            read(&users, "{\"people\":[]}"),
            "people.json: row 1 is no person",
        ),
        (read(&users, "<html>"), "people.json: not JSON"),
    ];
    for (result, says) in cases {
        let error = result.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("none.json");
    let error = Population::from_files(&missing, &missing)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("none.json: cannot be read"), "{error}");
}
