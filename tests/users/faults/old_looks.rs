//! What is written rests on a look of the last five seconds: time that a write before it took
//! counts. In memory.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use lookup_gitlab_sync::{
    config::GuardConfig,
    messaging::{Delivery, Disposition, Handler},
    upstream::{Transport, TransportError, UpstreamResponse},
};
use reqwest::{Method, Request};
use rstest::rstest;
use simulator::gitlab::UserState;
use tokio::time::sleep;

use super::{
    conditions::Conditions,
    process::{rules_with, worker_over},
    upstreams::Upstreams,
    wire::Way,
};

/// The only account, of a member whom Lookup calls cancelled.
const ID: u64 = 10;

/// A GitLab that takes its time to store an attribute, in which the person comes back.
struct SlowToStore {
    way: Arc<Way>,
    takes: Duration,
    upstreams: Arc<Upstreams>,
}

impl fmt::Debug for SlowToStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GitLab that is slow to store")
    }
}

impl Transport for SlowToStore {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        Box::pin(async move {
            if request.method() == Method::PUT {
                sleep(self.takes).await;
                self.upstreams
                    .lookup
                    .set_cancelled(&format!("ab{ID}"), false);
            }
            self.way.send(request).await
        })
    }
}

#[rstest]
#[case::within_the_five_seconds(4, UserState::Blocked, "applied")]
#[case::longer(6, UserState::Active, "unchanged")]
#[tokio::test(start_paused = true)]
async fn a_marker_that_takes_long_to_store_is_followed_by_another_look_and_not_by_the_block(
    #[case] seconds: u64,
    #[case] state: UserState,
    #[case] result: &str,
) {
    let upstreams = Arc::new(Upstreams::of_one(ID, 1));
    upstreams.lock().conditions = Conditions::Fine;
    let way = SlowToStore {
        way: Way::to_gitlab(&upstreams),
        takes: Duration::from_secs(seconds),
        upstreams: Arc::clone(&upstreams),
    };
    let rules = Arc::new(rules_with(&GuardConfig::default()));
    let worker = worker_over(Arc::new(way), &upstreams, &rules, 50);
    let delivery = Delivery {
        message_id: "m1".to_owned(),
        body: format!(r#"{{"gitlab_user_id":{ID}}}"#).into(),
        attributes: [].into(),
        publish_time: None,
        delivery_attempt: Some(1),
    };
    let Disposition::Done(record) = worker.handle(Arc::new(delivery)).await else {
        panic!("it is done");
    };
    assert_eq!(upstreams.gitlab.account(ID).unwrap().state, state);
    assert_eq!(record.result.as_deref(), Some(result));
}
