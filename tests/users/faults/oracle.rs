//! The campaign's oracle bites: where the service is deceived, or parts of it are replaced by
//! careless ones, it says so.
//!
//! The service believes what it is told, and the ledger is kept from what was done. A lie on the
//! way back from a server therefore makes the real service do what it must never do.

use std::sync::Arc;

use axum::http::HeaderValue;
use lookup_gitlab_sync::{
    messaging::{
        DeadLetter, Delivery, Disposition, Handler, PubSubError, Stage, Traceparent,
        consumer::{DeadLetters, Dispatch, Holds, Records},
        wire::SyncOutcome,
    },
    upstream::Transport,
};
use reqwest::{Method, Request};
use rstest::rstest;
use serde_json::{Map, json};
use simulator::gitlab::ADMINISTRATORS_TOKEN;
use tokio_util::sync::CancellationToken;

use super::{
    queue::{Ends, Queue},
    schedule::{Report, settle},
    upstreams::Upstreams,
    wire::Way,
};

/// The only account, beside the service's own.
const ID: u64 = 10;
/// A text in a server's answer, and what the service reads in its place.
type Lie = (&'static str, &'static str);

const NO_LIE: Lie = ("", "");
const CANCELLED: Lie = (r#""cancelled":false"#, r#""cancelled":true"#);
const CURRENT: Lie = (r#""cancelled":true"#, r#""cancelled":false"#);
const KNOWN: Lie = (r#""cancelled":"yes""#, r#""cancelled":true"#);
const OUR_BLOCK: Lie = ("root/0+", "lookup-gitlab-sync/1+");
const NO_BAN: Lie = (r#""state":"banned""#, r#""state":"blocked""#);

/// How the one member is.
#[derive(Clone, Copy)]
enum Case {
    Current,
    Cancelled,
    /// Under a marker that an earlier block of ours left.
    BlockedByPerson,
    /// After a block of ours.
    Banned,
    /// Lookup answers, and not with yes or no.
    Unclear,
}

/// Upstreams with one member, in which the service is told `lie`.
fn deceived(case: Case, lie: Lie) -> Upstreams {
    let number = match case {
        Case::Current => 0,
        Case::Cancelled => 1,
        Case::BlockedByPerson => 3,
        Case::Banned => 7,
        Case::Unclear => 11,
    };
    let upstreams = Upstreams::of_one(ID, number);
    let marker =
        r#"{"v":1,"reason":"cancelled_in_lookup","at":"2026-01-05T02:00:02Z","run":"old"}"#;
    let ours = "lookup-gitlab-sync/1+2026-01-05 02:00:03 UTC";
    let attributes = match case {
        Case::Current | Case::Cancelled | Case::Unclear => json!({}),
        Case::BlockedByPerson => json!({"lookup_gitlab_sync": marker}),
        Case::Banned => json!({"lookup_gitlab_sync": marker, "blocked_by": ours}),
    };
    let attributes = json!({ "custom_attributes": attributes });
    upstreams.gitlab.change_user(ID, attributes).unwrap();
    if matches!(case, Case::Unclear) {
        let odd = Map::from_iter([("cancelled".to_owned(), json!("yes"))]);
        upstreams.lookup.change_person(&format!("ab{ID}"), odd);
    }
    upstreams
        .lock()
        .lies
        .extend((!lie.0.is_empty()).then_some(lie));
    upstreams
}

#[rstest]
#[case::a_current_member(Case::Current, CANCELLED, "Block of account 10")]
#[case::a_block_by_a_person(Case::BlockedByPerson, OUR_BLOCK, "Unblock of account 10")]
#[case::a_ban(Case::Banned, NO_BAN, "Unblock of account 10")]
#[case::an_unknown_member(Case::Unclear, KNOWN, "Block of account 10")]
#[tokio::test(start_paused = true)]
async fn a_write_that_the_truth_does_not_call_for_is_found(
    #[case] case: Case,
    #[case] lie: Lie,
    #[case] found: &str,
) {
    let honest = settle(deceived(case, NO_LIE)).await;
    assert_eq!(
        honest.wrong,
        [] as [&str; 0],
        "told the truth it does no wrong"
    );
    assert_eq!(honest.figures.changes, 0);
    let report = settle(deceived(case, lie)).await;
    assert_eq!(
        report.figures.changes, 1,
        "it believes the lie: {:?}",
        report.trace
    );
    assert!(
        says(&report, found, "was never called for"),
        "{:?}",
        report.wrong
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_left_as_it_must_not_be_is_found() {
    let honest = settle(deceived(Case::Cancelled, NO_LIE)).await;
    assert_eq!(honest.wrong, [] as [&str; 0]);
    assert_eq!(honest.figures.changes, 1);
    let report = settle(deceived(Case::Cancelled, CURRENT)).await;
    assert!(
        says(
            &report,
            "account 10",
            "is Some(Active) and should be Some(Blocked)"
        ),
        "{:?}",
        report.wrong
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_that_no_message_asked_for_is_found() {
    let upstreams = Arc::new(Upstreams::of_one(ID, 1));
    let url = "http://gitlab.example/api/v4/users/10/block".parse();
    let mut request = Request::new(Method::POST, url.unwrap());
    let token = HeaderValue::from_static(ADMINISTRATORS_TOKEN);
    request.headers_mut().insert("private-token", token);
    let answer = Way::to_gitlab(&upstreams).send(request).await.unwrap();
    assert_eq!(answer.body, "true");
    let wrong = upstreams.lock().wrong.clone();
    assert_eq!(wrong, ["Block of account 10 is in nobody's plan"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_acked_without_a_word_is_found() {
    let queue = with_message(&json!({"gitlab_user_id": ID}).to_string());
    settle_one(&queue, Lazy, Ends(queue.clone()), Mute).await;
    assert_eq!(wrong(&queue), ["user-0 was acked and nobody knows why"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_nowhere_is_found() {
    let queue = with_message("no json");
    settle_one(&queue, Strict, Nowhere, Ends(queue.clone())).await;
    let wrong = wrong(&queue);
    assert_eq!(wrong, ["user-0 is said to be a dead letter and is nowhere"]);
}

#[tokio::test(start_paused = true)]
async fn a_poisonous_message_that_is_called_done_is_found() {
    let queue = with_message("no json");
    settle_one(&queue, Lazy, Ends(queue.clone()), Ends(queue.clone())).await;
    queue.judge_poison(&[("user-0".to_owned(), "undecodable")].into());
    assert_eq!(
        wrong(&queue),
        ["user-0 should be a dead letter for undecodable and is None"]
    );
}

fn says(report: &Report, what: &str, more: &str) -> bool {
    let said = |wrong: &String| wrong.contains(what) && wrong.contains(more);
    report.wrong.iter().any(said)
}

fn wrong(queue: &Queue) -> Vec<String> {
    queue.upstreams.lock().wrong.clone()
}

fn with_message(body: &str) -> Queue {
    let queue = Queue::new("user", &Arc::new(Upstreams::of_one(ID, 1)));
    queue.put(body.to_owned().into(), std::collections::BTreeMap::new());
    queue
}

async fn settle_one(
    queue: &Queue,
    handler: impl Handler,
    dead_letters: impl DeadLetters,
    records: impl Records,
) {
    let (delivery, lease) = queue.lease().expect("it waits");
    let dispatch = Dispatch {
        handler,
        dead_letters,
        records,
        holds: Holds::new(1),
    };
    dispatch
        .settle(delivery, lease, &CancellationToken::new())
        .await;
    assert!(queue.is_empty(), "it was acked");
}

/// A worker that calls everything done.
struct Lazy;

impl Handler for Lazy {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, _delivery: Arc<Delivery>) -> Disposition {
        Disposition::Done(Box::default())
    }
}

/// A worker that gives everything up.
struct Strict;

impl Handler for Strict {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, _delivery: Arc<Delivery>) -> Disposition {
        Disposition::DeadLetter(DeadLetter {
            reason: lookup_gitlab_sync::messaging::DeadLetterReason::Undecodable,
            detail: "because".to_owned(),
            record: None,
        })
    }
}

/// A dead-letter topic that confirms and keeps nothing.
struct Nowhere;

impl DeadLetters for Nowhere {
    async fn publish(&self, _: Stage, _: &Delivery, _: &DeadLetter) -> Result<(), PubSubError> {
        Ok(())
    }
}

/// Records that go nowhere.
struct Mute;

impl Records for Mute {
    fn record(&self, _record: &SyncOutcome, _traceparent: &Traceparent) {}
}
