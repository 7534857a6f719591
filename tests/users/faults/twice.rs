//! A message that comes again after its change was made: it knows its own change, and a block whose
//! answer was lost is ours all the same. In memory.

use std::{fmt, future, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use lookup_gitlab_sync::{
    config::GuardConfig,
    messaging::{Delivery, Disposition, Handler},
    upstream::{Transport, TransportError, UpstreamResponse},
    users::worker::UserWorker,
};
use reqwest::{Method, Request};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::gitlab::UserState;
use tokio::time::sleep;

use super::{
    process::{rules_with, worker, worker_over},
    upstreams::Upstreams,
    wire::Way,
};

/// The only account.
const ID: u64 = 10;
/// It is active, and Lookup calls its person cancelled.
const CANCELLED: u32 = 1;
/// It is blocked by the service, and its person is current.
const BACK: u32 = 2;

/// How the work on `body` ends, as part of `run`.
async fn work(worker: &UserWorker, body: &Value, run: &str) -> String {
    let delivery = Delivery {
        message_id: "m1".to_owned(),
        body: body.to_string().into(),
        attributes: [("run".to_owned(), run.to_owned())].into(),
        publish_time: None,
        delivery_attempt: Some(1),
    };
    match worker.handle(Arc::new(delivery)).await {
        Disposition::Done(record) => record.result.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::a_block(CANCELLED, "block", UserState::Blocked)]
#[case::an_unblock(BACK, "unblock", UserState::Active)]
#[tokio::test(start_paused = true)]
async fn the_second_delivery_of_what_was_done_says_that_it_was_applied_and_writes_nothing(
    #[case] case: u32,
    #[case] planned: &str,
    #[case] state: UserState,
) {
    let upstreams = Arc::new(Upstreams::of_one(ID, case));
    let worker = worker(
        &upstreams,
        &Arc::new(rules_with(&GuardConfig::default())),
        50,
    );
    let plan = |at: Timestamp| json!({"gitlab_user_id": ID, "cause": "tick", "planned": planned, "planned_at": at});
    let first = plan(Timestamp::now());
    for _ in 0..3 {
        assert_eq!(work(&worker, &first, "run-1").await, "applied");
    }
    assert_eq!(upstreams.gitlab.account(ID).unwrap().state, state);
    assert_eq!(upstreams.lock().figures.changes, 1);
    let later = plan(Timestamp::now() + jiff::SignedDuration::from_hours(1));
    assert_eq!(
        work(&worker, &later, "run-2").await,
        "changed_since_planned",
        "another run did not do it"
    );
}

/// A GitLab from which no answer to a block ever comes.
struct Mute(Arc<Way>);

impl fmt::Debug for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GitLab that never answers a block")
    }
}

impl Transport for Mute {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        Box::pin(async move {
            let post = request.method() == Method::POST;
            let answer = self.0.send(request).await;
            if post {
                future::pending::<()>().await;
            }
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_after_which_the_process_died_is_undone_when_the_person_comes_back() {
    let upstreams = Arc::new(Upstreams::of_one(ID, CANCELLED));
    let rules = Arc::new(rules_with(&GuardConfig::default()));
    let resync = json!({ "gitlab_user_id": ID });
    let dying = worker_over(
        Arc::new(Mute(Way::to_gitlab(&upstreams))),
        &upstreams,
        &rules,
        50,
    );
    let blocked = async {
        while upstreams.gitlab.account(ID).unwrap().state != UserState::Blocked {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        end = work(&dying, &resync, "run-1") => panic!("{end}"),
        () = blocked => {}
    }
    upstreams.lookup.set_cancelled(&format!("ab{ID}"), false);
    let next = worker(&upstreams, &rules, 50);
    assert_eq!(work(&next, &resync, "run-2").await, "applied");
    assert_eq!(
        upstreams.gitlab.account(ID).unwrap().state,
        UserState::Active
    );
}
