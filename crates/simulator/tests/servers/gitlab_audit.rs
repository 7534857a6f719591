//! `GET /audit_events`, as it was recorded with a licence and without one.

use serde_json::json;
use simulator::gitlab::{Conditions, OWNER, SimulatedGitLab, SimulatedUser};

use crate::asking::{Answer, ask, gitlab};

/// Two accounts, of which the first was blocked by the service and unblocked by root.
async fn changed(audit_events: bool) -> SimulatedGitLab {
    let gitlab = gitlab(vec![
        SimulatedUser::new(42, "ab42"),
        SimulatedUser::new(43, "ab43"),
    ])
    .await;
    gitlab.set_conditions(Conditions {
        audit_events,
        ..gitlab.conditions()
    });
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.status, 201);
    let by = json!({"id": 7, "username": "root"});
    let unblock = json!({"state": "active", "by": by});
    gitlab.change_user(42, unblock).unwrap();
    assert_eq!(ask(&gitlab, "POST", "/users/43/ban").await.status, 201);
    gitlab
}

fn told(answer: &Answer) -> Vec<(String, u64, u64)> {
    let rows = answer.json();
    let told = rows.as_array().unwrap().iter().map(|row| {
        (
            row["event_name"].as_str().unwrap().to_owned(),
            row["entity_id"].as_u64().unwrap(),
            row["author_id"].as_u64().unwrap(),
        )
    });
    told.collect()
}

#[tokio::test]
async fn without_a_licence_audit_events_are_refused_as_recorded() {
    let gitlab = changed(false).await;
    let answer = ask(&gitlab, "GET", "/audit_events?entity_type=User").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json(), json!({"message": "403 Forbidden"}));
}

#[tokio::test]
async fn with_a_licence_each_change_is_an_event_and_the_newest_is_first() {
    let gitlab = changed(true).await;
    let answer = ask(&gitlab, "GET", "/audit_events?entity_type=User").await;
    let owner = gitlab.owner();
    assert_eq!(
        told(&answer),
        [
            ("ban_user".to_owned(), 43, owner),
            ("unblock_user".to_owned(), 42, 7),
            ("user_blocked".to_owned(), 42, owner),
        ]
    );
    assert!(answer.header("link").is_none());
    // The keys and the time of the recording.
    let row = &answer.json()[2];
    let mut keys: Vec<&String> = row.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "author_id",
            "created_at",
            "details",
            "entity_id",
            "entity_type",
            "event_name",
            "id"
        ]
    );
    assert_eq!(row["details"]["author_name"], OWNER);
    assert_eq!(
        row["created_at"].as_str().unwrap().len(),
        "2026-11-28T15:47:35.712Z".len()
    );
}

#[tokio::test]
async fn audit_events_are_paged_by_a_cursor_that_the_link_names() {
    let gitlab = changed(true).await;
    let first = "/audit_events?entity_type=User&entity_id=42&pagination=keyset&per_page=1";
    let answer = ask(&gitlab, "GET", first).await;
    assert_eq!(answer.ids(), [2]);
    let link = answer.header("link").unwrap();
    assert!(link.contains("cursor=eyJpZCI6Mn0%3D"), "{link}");
    assert!(link.ends_with("rel=\"next\""), "{link}");
    let next = format!("{first}&cursor=eyJpZCI6Mn0%3D");
    let answer = ask(&gitlab, "GET", &next).await;
    assert_eq!(answer.ids(), [1]);
    assert!(answer.header("link").is_none());
    let later = "/audit_events?entity_type=User&created_after=2999-01-01T00:00:00Z";
    assert_eq!(ask(&gitlab, "GET", later).await.json(), json!([]));
}
