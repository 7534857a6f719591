//! The table of answers: how the attempt ends, and what becomes of the message.

use std::time::Duration;

use lookup_gitlab_sync::messaging::Handler;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::logs::CapturedLogs;
use testkit::wait::until;

use crate::{
    receiver::Turn,
    worker_fixture::{WorkerFixture, delivery, word},
};

fn whole() -> Value {
    json!({ "status": "success", "message": null, "payload": {
        "base_product": { "status": "success" }, "storage": { "status": "success" },
        "compute_minutes": null, "add_on_purchases": null } })
}

fn partly() -> Value {
    json!({ "status": "error", "message": "Seats can't be blank", "payload": {
        "base_product": { "status": "error", "message": "Seats can't be blank" },
        "storage": { "status": "success" }, "compute_minutes": null, "add_on_purchases": null } })
}

#[tokio::test]
async fn both_forms_of_200_complete_it() {
    let fixture = WorkerFixture::new().await;
    fixture
        .receiver
        .then([Turn::Empty, Turn::Json(200, whole())]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    fixture.record(2).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    let history = fixture.history().await;
    let (second, first) = (&history[0].attempts[0], &history[1].attempts[0]);
    assert_eq!((first.http_status, &first.parts), (Some(200), &None));
    assert_eq!(
        second.parts.as_ref().unwrap()["storage"]["status"],
        "success"
    );
    assert!(second.finished_at.unwrap() >= second.started_at);
    assert_eq!(
        fixture.receiver.calls()[0].path,
        "/api/v4/internal/gitlab_subscriptions/namespaces/42/provision"
    );
}

#[tokio::test]
async fn what_arrived_is_not_sent_twice_unless_somebody_asks() {
    let fixture = WorkerFixture::new().await;
    fixture.record(1).await;
    fixture.deliver().await;
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    fixture.resync().await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    assert_eq!(fixture.receiver.calls().len(), 2);
    assert_eq!(
        fixture.states().await,
        ["completed", "skipped", "skipped", "completed", "skipped"]
    );
}

#[tokio::test]
async fn a_broken_rule_is_recorded_part_by_part_and_not_retried_by_itself() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Json(422, partly())]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "done: partially_failed");
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    let attempt = fixture.history().await[0].attempts[0].clone();
    assert_eq!(attempt.http_status, Some(422));
    assert_eq!(attempt.detail.as_deref(), Some("Seats can't be blank"));
    let parts = attempt.parts.unwrap();
    assert_eq!(parts["base_product"]["message"], "Seats can't be blank");
    assert_eq!(parts["storage"]["status"], "success");
    fixture.resync().await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
}

/// Nothing but this line tells a person that something is to be done.
#[tokio::test]
async fn a_broken_rule_is_logged_as_an_error_with_the_namespace_and_the_rule() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Json(422, partly())]);
    fixture.record(1).await;
    let errors = CapturedLogs::errors();
    assert_eq!(word(&fixture.deliver().await), "done: partially_failed");
    let told = errors.text();
    for words in [
        "event=\"namespace_partially_failed\"",
        "namespace_id=42",
        "Seats can't be blank",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[rstest]
#[case::a_part_that_was_sent(json!({ "base_product": { "status": "success" }, "storage": null,
    "compute_minutes": null, "add_on_purchases": null }), "storage was ignored by GitLab: it answered null for it")]
#[case::both(json!({ "base_product": null, "storage": null, "compute_minutes": null, "add_on_purchases": null }),
    "base_product was ignored by GitLab: it answered null for it, storage was ignored by GitLab: it answered null for it")]
#[case::a_failure_within_a_success(json!({ "base_product": { "status": "success" },
    "storage": { "status": "error", "message": "no" }, "compute_minutes": null, "add_on_purchases": null }), "no")]
#[tokio::test]
async fn completed_means_that_every_part_that_was_sent_was_applied(
    #[case] payload: Value,
    #[case] said: &str,
) {
    let fixture = WorkerFixture::new().await;
    let answer = json!({ "status": "success", "message": null, "payload": payload });
    fixture.receiver.then([Turn::Json(200, answer)]);
    fixture.record(1).await;
    let errors = CapturedLogs::errors();
    assert_eq!(word(&fixture.deliver().await), "done: partially_failed");
    let told = errors.text();
    assert!(
        told.contains("event=\"namespace_partially_failed\""),
        "{told}"
    );
    let attempt = fixture.history().await[0].attempts[0].clone();
    assert_eq!(
        (attempt.http_status, attempt.detail.as_deref()),
        (Some(200), Some(said))
    );
    assert_eq!(
        word(&fixture.deliver().await),
        "done: skipped",
        "nothing is sent by itself"
    );
    fixture.resync().await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
}

/// GitLab answers 500 to every call while it cannot fetch the portal's keys.
#[tokio::test]
async fn a_500_of_an_api_that_cannot_verify_tokens_holds_the_message_and_spends_no_delivery() {
    let fixture = WorkerFixture::new().await;
    let broken = Turn::Json(500, json!({ "message": "500 Internal Server Error" }));
    fixture.receiver.then(std::iter::repeat_n(broken, 20));
    fixture.receiver.verifies_tokens(false);
    fixture.record(1).await;
    let errors = CapturedLogs::errors();
    for _ in 0..12 {
        assert_eq!(
            word(&fixture.worker.handle(delivery(10)).await),
            "hold: provisioning"
        );
    }
    let told = errors.text();
    assert!(!fixture.states().await.contains(&"failed"));
    let gates = fixture.worker.gates();
    let why = gates.iter().find_map(|gate| gate.closed_because());
    assert!(
        why.unwrap_or(told)
            .contains("/.well-known/openid-configuration")
    );
    fixture.receiver.verifies_tokens(true);
    fixture.receiver.forget_turns();
    until("it goes on", async || {
        let _passage = gates[0].passable().await;
        word(&fixture.deliver().await) == "done: completed"
    })
    .await;
}

#[tokio::test]
async fn what_the_database_refuses_for_good_is_that_syncs_own_fault() {
    let fixture = WorkerFixture::new().await;
    let said = "500 Internal Server Error - the database refuses storage: SQLSTATE class 23";
    let refused = Turn::Json(500, json!({ "message": said, "sqlstate_class": "23" }));
    fixture.receiver.then(std::iter::repeat_n(refused, 10));
    fixture.record(1).await;
    for attempt in 1..=9 {
        assert_eq!(
            word(&fixture.worker.handle(delivery(attempt)).await),
            "retry"
        );
    }
    assert_eq!(word(&fixture.worker.handle(delivery(10)).await), "retry");
    let states = fixture.states().await;
    assert_eq!(
        (
            states[..9].iter().all(|state| *state == "retrying"),
            states[9]
        ),
        (true, "failed")
    );
    for gate in fixture.worker.gates() {
        assert_eq!(gate.closed_because(), None, "nobody else is held");
    }
    let attempt = fixture.history().await[0].attempts[9].clone();
    assert_eq!(
        (attempt.http_status, attempt.detail.as_deref()),
        (Some(500), Some(said))
    );
}

#[rstest]
#[case::bad_request(400, json!({ "error": "provision[storage] is invalid" }), "provision[storage] is invalid")]
#[case::not_a_root(400, json!({ "message": "400 Bad request - Must be root namespace" }), "400 Bad request - Must be root namespace")]
#[case::no_namespace(404, json!({ "message": "404 Namespace Not Found" }), "404 Namespace Not Found")]
#[tokio::test]
async fn a_refusal_is_a_dead_letter_and_a_replay_of_it_is_sent(
    #[case] status: u16,
    #[case] body: Value,
    #[case] said: &str,
) {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Json(status, body)]);
    fixture.record(1).await;
    assert_eq!(
        word(&fixture.deliver().await),
        format!("dead: refused: {said}")
    );
    let attempt = fixture.history().await[0].attempts[0].clone();
    assert_eq!(attempt.detail.as_deref(), Some(said));
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(fixture.states().await, ["failed", "completed"]);
}

/// As where an account's call fails and the neutral one does not.
#[tokio::test]
async fn a_page_for_one_namespace_while_others_are_answered_is_its_messages_fault() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Page(200)]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "retry");
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(fixture.states().await, ["retrying", "completed"]);
}

#[rstest]
#[case::throttled(Turn::Json(429, json!({ "message": "slow" })), Some(429))]
#[case::unavailable(Turn::Json(503, json!({ "message": "503" })), Some(503))]
#[case::gateway(Turn::Page(502), Some(502))]
#[case::a_wrong_address(Turn::Json(404, json!({ "error": "404 Not Found" })), Some(404))]
#[case::a_proxys_404(Turn::Page(404), Some(404))]
#[case::forbidden(Turn::Json(403, json!({ "message": "403" })), Some(403))]
#[tokio::test]
async fn what_is_not_the_messages_fault_holds_it(#[case] turn: Turn, #[case] status: Option<i16>) {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([turn]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
    assert_eq!(fixture.history().await[0].attempts[0].http_status, status);
    let gates = fixture.worker.gates();
    let _passage = gates[1].passable().await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(fixture.states().await, ["retrying", "completed"]);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_the_gate_closes() {
    let fixture = WorkerFixture::new().await;
    let refused = Turn::Json(401, json!({ "message": "401 Unauthorized" }));
    fixture
        .receiver
        .then([refused.clone(), refused.clone(), refused]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
    let tokens: Vec<_> = fixture
        .receiver
        .calls()
        .into_iter()
        .map(|call| call.token)
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
    assert!(fixture.worker.gates()[1].closed_because().is_some());
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
    assert_eq!(
        fixture.receiver.calls().len(),
        2,
        "a closed gate lets nothing through"
    );
}

#[tokio::test]
async fn a_500_of_an_api_that_is_otherwise_well_is_retried_and_given_up_at_the_tenth_delivery() {
    let fixture = WorkerFixture::new().await;
    let broken = Turn::Json(500, json!({ "message": "500" }));
    fixture
        .receiver
        .then([broken.clone(), broken.clone(), broken]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "retry");
    assert_eq!(word(&fixture.worker.handle(delivery(10)).await), "retry");
    assert_eq!(fixture.states().await, ["retrying", "failed"]);
    fixture.receiver.verifies_tokens(false);
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_retried() {
    let fixture = WorkerFixture::with(Duration::from_millis(300), Duration::ZERO).await;
    fixture
        .receiver
        .then([Turn::When(std::sync::Arc::default())]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "retry");
    assert_eq!(fixture.history().await[0].attempts[0].http_status, None);
    assert_eq!(fixture.states().await, ["retrying"]);
}

#[tokio::test]
async fn a_message_without_a_recorded_sync_or_a_namespace_is_a_dead_letter() {
    let fixture = WorkerFixture::new().await;
    let end = word(&fixture.deliver().await);
    assert!(
        end.starts_with("dead: invalid_field: namespace_id"),
        "{end}"
    );
    let mut poison = (*delivery(1)).clone();
    poison.body = b"{\"namespace_id\":\"42\"}".to_vec().into();
    let end = word(&fixture.worker.handle(poison.into()).await);
    assert!(
        end.starts_with("dead: invalid_field: namespace_id"),
        "{end}"
    );
    assert_eq!(fixture.receiver.calls().len(), 0);
}
