//! The record of requests, changes by hand, the rate limit, latency, the stop.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    control::{InjectedFault, RateLimit},
    gitlab::{GitLabSettings, SimulatedGitLab, SimulatedUser, UserState},
};

use crate::asking::{ask, control, gitlab, one, request};

#[tokio::test]
async fn the_record_has_every_request_but_those_to_the_controls() {
    let gitlab = one().await;
    ask(&gitlab, "GET", "/users?humans=true").await;
    ask(&gitlab, "POST", "/users/42/block").await;
    let all = control(&gitlab, "GET", "requests", None).await.json();
    let shown: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (
                entry["number"].as_u64().unwrap(),
                text("method"),
                text("path"),
                entry["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                1,
                "GET".to_owned(),
                "/api/v4/users?humans=true".to_owned(),
                200
            ),
            (
                2,
                "POST".to_owned(),
                "/api/v4/users/42/block".to_owned(),
                201
            ),
        ]
    );
    assert!(
        all[0]["time"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    let later = control(&gitlab, "GET", "requests?since=1", None)
        .await
        .json();
    assert_eq!(
        (later.as_array().unwrap().len(), &later[0]["number"]),
        (1, &json!(2))
    );
    assert_eq!(gitlab.control().count("POST", "/api/v4/users/*/block"), 1);
    assert_eq!(
        control(&gitlab, "DELETE", "requests", None).await.status,
        204
    );
    assert_eq!(
        control(&gitlab, "GET", "requests", None).await.json(),
        json!([])
    );
}

#[tokio::test]
async fn a_change_of_state_by_hand_is_put_down_to_a_person() {
    let root = SimulatedUser {
        is_admin: true,
        ..SimulatedUser::new(2, "root")
    };
    let gitlab = gitlab(vec![root, SimulatedUser::new(42, "ab123")]).await;
    let put = async |change| control(&gitlab, "PUT", "users/42", Some(change)).await;
    assert_eq!(put(json!({"state": "blocked"})).await.status, 200);
    let attributes = |key: &str| {
        gitlab
            .account(42)
            .unwrap()
            .custom_attributes
            .get(key)
            .cloned()
    };
    assert!(attributes("blocked_by").unwrap().starts_with("root/2+"));
    let by = json!({"id": 7, "username": "jo"});
    put(json!({"state": "active", "by": by, "at": "2026-11-01T02:00:03Z"})).await;
    assert_eq!(
        attributes("unblocked_by").unwrap(),
        "jo/7+2026-11-01 02:00:03 UTC"
    );
    put(json!({"state": "blocked", "custom_attributes": {"blocked_by": "odd", "unblocked_by": null}})).await;
    assert_eq!(
        (attributes("blocked_by"), attributes("unblocked_by")),
        (Some("odd".to_owned()), None)
    );
}

#[tokio::test]
async fn a_person_can_change_create_and_delete_accounts() {
    let gitlab = one().await;
    let change = json!({
        "username": "xy9", "is_admin": true, "external": true, "bot": true, "last_activity_on": "2020-02-29",
        "identities": [{"provider": "saml", "extern_uid": "xy9"}],
    });
    let row = control(&gitlab, "PUT", "users/42", Some(change.clone()))
        .await
        .json();
    for (key, value) in change.as_object().unwrap() {
        if key != "identities" {
            assert_eq!(&row[key], value, "{key}");
        }
    }
    assert_eq!(row["identities"][0]["extern_uid"], "xy9");
    assert_eq!(
        control(&gitlab, "PUT", "users/50", Some(json!({})))
            .await
            .status,
        400
    );
    assert_eq!(
        control(&gitlab, "PUT", "users/42", Some(json!({"state": 7})))
            .await
            .status,
        400
    );
    assert_eq!(gitlab.account(42).unwrap().state, UserState::Active);
    control(
        &gitlab,
        "PUT",
        "users/50",
        Some(json!({"username": "new1"})),
    )
    .await;
    assert_eq!(
        ask(&gitlab, "GET", "/users/50").await.json()["username"],
        "new1"
    );
    assert_eq!(
        control(&gitlab, "DELETE", "users/50", None).await.status,
        204
    );
    assert_eq!(ask(&gitlab, "GET", "/users/50").await.status, 404);
}

#[tokio::test]
async fn the_state_is_shown_whole_and_can_be_read_back() {
    let gitlab = one().await;
    let state = control(&gitlab, "GET", "state", None).await.json();
    let rows = state["users"].as_array().unwrap();
    let read: Vec<SimulatedUser> = rows
        .iter()
        .map(|row| SimulatedUser::from_row(row.clone()).unwrap())
        .collect();
    let names: Vec<&str> = read
        .iter()
        .map(|account| account.username.as_str())
        .collect();
    assert_eq!(names, ["lookup-gitlab-sync", "ab123"]);
    assert_eq!(state["settings"]["maintenance"], Value::Null);
}

#[tokio::test]
async fn past_the_rate_limit_gitlab_says_retry_later() {
    let rate_limit = Some(RateLimit {
        requests: 3,
        period: Duration::from_hours(24),
    });
    let gitlab = SimulatedGitLab::start(GitLabSettings {
        rate_limit,
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    for left in ["2", "1", "0"] {
        let answer = ask(&gitlab, "GET", "/user").await;
        assert_eq!(
            (answer.status, answer.header("ratelimit-remaining")),
            (200, Some(left))
        );
        assert_eq!(answer.header("ratelimit-limit"), Some("1"));
    }
    let refused = ask(&gitlab, "POST", "/users/42/block").await;
    assert_eq!((refused.status, refused.body.trim()), (429, "Retry later"));
    assert_eq!(refused.header("content-type"), Some("text/plain"));
    assert_eq!(refused.header("ratelimit-observed"), Some("4"));
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 86_400
    );
    assert!(
        refused
            .header("ratelimit-resettime")
            .unwrap()
            .ends_with(" GMT")
    );
}

#[tokio::test]
async fn latency_is_added_to_each_answer() {
    let latency = Duration::from_millis(50);
    let gitlab = SimulatedGitLab::start(GitLabSettings {
        latency,
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    let start = std::time::Instant::now();
    ask(&gitlab, "GET", "/user").await;
    assert!(start.elapsed() >= latency);
}

#[tokio::test]
async fn a_stop_ends_slow_answers_early_and_frees_the_port() {
    let gitlab = one().await;
    gitlab
        .control()
        .inject(InjectedFault {
            delay_ms: 600_000,
            ..InjectedFault::on("*", "/api/v4/user")
        })
        .unwrap();
    let port: u16 = gitlab.url().rsplit(':').next().unwrap().parse().unwrap();
    let waiting = tokio::spawn(request(&gitlab, "GET", "/user").send());
    while gitlab.control().count("GET", "/api/v4/user") == 0 {
        tokio::task::yield_now().await;
    }
    gitlab.stop().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    let again = SimulatedGitLab::start(GitLabSettings {
        port,
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    assert!(again.url().ends_with(&port.to_string()));
}
