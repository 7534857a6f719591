//! Injected faults: answers in place of the effect, and connections that are cut around it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use simulator::{
    control::{Cut, InjectedFault},
    gitlab::{SimulatedGitLab, UserState},
};

use crate::asking::{ask, control, one, request};

#[tokio::test]
async fn a_fault_answers_in_place_of_the_effect_as_often_as_it_says() {
    let gitlab = one().await;
    let fault = json!([{
        "method": "POST", "path": "/api/v4/users/*/block", "status": 503,
        "headers": {"Retry-After": "7"}, "body": "<h1>Waiting for GitLab to boot</h1>",
        "delay_ms": 0, "times": 2, "every": 1,
    }]);
    assert_eq!(
        control(&gitlab, "POST", "faults", Some(fault)).await.status,
        200
    );
    for _ in 0..2 {
        let answer = ask(&gitlab, "POST", "/users/42/block").await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("7"))
        );
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
        assert_eq!(gitlab.account(42).unwrap().state, UserState::Active);
    }
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "true");
}

#[tokio::test]
async fn a_fault_that_is_cleared_or_meant_for_others_does_not_strike() {
    let gitlab = one().await;
    let fault = || InjectedFault {
        status: Some(503),
        ..InjectedFault::on("GET", "/api/v4/users?*cursor=*")
    };
    gitlab.control().inject(fault()).unwrap();
    assert_eq!(ask(&gitlab, "GET", "/users").await.status, 200);
    assert_eq!(
        ask(&gitlab, "GET", "/users?pagination=keyset&cursor=x")
            .await
            .status,
        503
    );
    assert_eq!(
        control(&gitlab, "GET", "faults", None).await.json()[0]["struck"],
        1
    );
    assert_eq!(control(&gitlab, "DELETE", "faults", None).await.status, 204);
    assert_eq!(
        ask(&gitlab, "GET", "/users?pagination=keyset&cursor=x")
            .await
            .status,
        500
    );
}

#[tokio::test]
async fn a_fault_with_headers_alone_adds_them_to_the_true_answer() {
    let gitlab = one().await;
    let headers = BTreeMap::from([("RateLimit-Remaining".to_owned(), "0".to_owned())]);
    gitlab
        .control()
        .inject(InjectedFault {
            headers,
            ..InjectedFault::on("*", "/api/v4/*")
        })
        .unwrap();
    let answer = ask(&gitlab, "GET", "/users/42").await;
    assert_eq!(
        (answer.status, answer.header("ratelimit-remaining")),
        (200, Some("0"))
    );
    assert_eq!(answer.json()["username"], "ab123");
}

#[tokio::test]
async fn a_malformed_fault_is_refused_with_what_is_wrong() {
    let gitlab = one().await;
    for (fault, says) in [
        (json!([{"path": "/x", "stauts": 503}]), "stauts"),
        (json!([{"path": "/x", "status": 700}]), "700"),
        (json!([{"path": "/x", "drop": "sometimes"}]), "sometimes"),
        (json!([{"path": "/x", "headers": {"a b": "c"}}]), "a b"),
        (json!([{"path": "/x", "every": 0}]), "every"),
        (json!({"path": "/x"}), "sequence"),
    ] {
        let answer = control(&gitlab, "POST", "faults", Some(fault)).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.json()["error"].as_str().unwrap().contains(says),
            "{}",
            answer.body
        );
    }
    assert_eq!(
        control(&gitlab, "GET", "faults", None).await.json(),
        json!([])
    );
}

/// Asks for a block whose connection is cut before the effect or after it.
async fn block_is_cut(gitlab: &SimulatedGitLab, cut: Cut) {
    let fault = InjectedFault {
        drop: Some(cut),
        times: 1,
        ..InjectedFault::on("POST", "/api/v4/users/*/block")
    };
    gitlab.control().inject(fault).unwrap();
    let answer = request(gitlab, "POST", "/users/42/block").send().await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn a_connection_cut_before_the_effect_leaves_the_account_as_it_was() {
    let gitlab = one().await;
    block_is_cut(&gitlab, Cut::Before).await;
    assert_eq!(gitlab.account(42).unwrap().state, UserState::Active);
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "true");
}

#[tokio::test]
async fn a_connection_cut_after_the_effect_has_blocked_the_account() {
    let gitlab = one().await;
    block_is_cut(&gitlab, Cut::After).await;
    assert_eq!(gitlab.account(42).unwrap().state, UserState::Blocked);
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "null");
    let entries = gitlab.control().requests(0);
    assert_eq!((entries[0].status, entries[0].answer), (None, Some("true")));
    assert_eq!(
        (entries[1].status, entries[1].answer),
        (Some(201), Some("null"))
    );
}

#[tokio::test]
async fn a_client_that_gives_up_on_a_slow_cut_has_caused_the_effect() {
    let gitlab = one().await;
    let fault = InjectedFault {
        drop: Some(Cut::After),
        delay_ms: 600_000,
        ..InjectedFault::on("POST", "/api/v4/users/*/block")
    };
    gitlab.control().inject(fault).unwrap();
    let patient = request(&gitlab, "POST", "/users/42/block").timeout(Duration::from_millis(200));
    assert!(patient.send().await.unwrap_err().is_timeout());
    assert_eq!(gitlab.account(42).unwrap().state, UserState::Blocked);
}
