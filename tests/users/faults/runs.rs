//! Runs that are not to be: covered by another's sweep, over the guard, or asked for by too many
//! resyncs. In memory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lookup_gitlab_sync::{
    config::GuardConfig,
    messaging::{DeadLetterReason, Delivery, Disposition, Handler},
    users::{fan_out::FanOut, worker::UserWorker},
};
use rstest::rstest;
use serde_json::json;

use super::{
    process::{fan_out, rules_with, worker},
    queue::Queue,
    upstreams::Upstreams,
};

const MEMBERS: u64 = 20;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Half of the members are to be blocked, which a guard of 5 % and no floor refuses.
const STRICT: GuardConfig = GuardConfig {
    max_block_percent: 5.0,
    max_unblock_percent: 100.0,
    floor: 0,
    max_blocks: 1_000,
    plan_lapses: Duration::from_hours(2),
    min_known_percent: 0.0,
};
const LENIENT: GuardConfig = GuardConfig {
    max_block_percent: 100.0,
    ..STRICT
};
const OVERRIDE: &str = r#"{"max_block_percent":100,"reason":"graduation"}"#;

struct Stage {
    upstreams: Arc<Upstreams>,
    users: Queue,
    handler: FanOut<Queue>,
}

impl Stage {
    fn guarded_by(guard: &GuardConfig) -> Self {
        let upstreams = Arc::new(Upstreams::of_members(MEMBERS));
        let users = Queue::new("user", &upstreams);
        let rules = Arc::new(rules_with(guard));
        let handler = fan_out(&upstreams, &users, &rules);
        Self {
            upstreams,
            users,
            handler,
        }
    }

    /// What becomes of a tick that was published so long ago: how its run ended, or why it is a
    /// dead letter.
    async fn tick(&self, body: &str, ago: SignedDuration) -> String {
        self.tick_with(body, Some(Timestamp::now() - ago), &[])
            .await
    }

    async fn tick_with(
        &self,
        body: &str,
        published: Option<Timestamp>,
        attributes: &[(&str, &str)],
    ) -> String {
        end(self
            .handler
            .handle(delivery("tick", body, published, attributes))
            .await)
    }

    fn requests(&self) -> u64 {
        self.upstreams.lock().figures.requests
    }

    fn published(&self) -> u64 {
        self.upstreams.lock().figures.messages
    }
}

fn delivery(
    id: &str,
    body: &str,
    publish_time: Option<Timestamp>,
    attributes: &[(&str, &str)],
) -> Arc<Delivery> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Arc::new(Delivery {
        message_id: id.to_owned(),
        body: body.to_owned().into(),
        attributes: attributes.iter().map(owned).collect::<BTreeMap<_, _>>(),
        publish_time,
        delivery_attempt: Some(1),
    })
}

fn end(disposition: Disposition) -> String {
    match disposition {
        Disposition::Done(record) => record.result.or(record.kind).unwrap_or_default(),
        Disposition::DeadLetter(letter) => letter.reason.as_str().to_owned(),
        Disposition::Retry(why) => format!("retry: {why}"),
        Disposition::Hold(_) => "hold".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_an_earlier_sweep_covers_costs_no_call() {
    let stage = Stage::guarded_by(&LENIENT);
    assert_eq!(stage.tick("{}", SignedDuration::ZERO).await, "run_started");
    let (requests, published) = (stage.requests(), stage.published());
    assert_eq!(stage.tick("{}", MINUTE * 5).await, "coalesced");
    assert_eq!(
        stage.tick(r#"{"dry_run":false}"#, MINUTE * 2).await,
        "coalesced"
    );
    assert_eq!((stage.requests(), stage.published()), (requests, published));
}

#[rstest]
#[case::published_too_shortly_before("{}", MINUTE / 2)]
#[case::dry(r#"{"dry_run":true}"#, MINUTE * 5)]
#[case::with_limits_of_its_own(OVERRIDE, MINUTE * 5)]
#[tokio::test(start_paused = true)]
async fn a_tick_that_no_sweep_covers_is_run(#[case] body: &str, #[case] ago: SignedDuration) {
    let stage = Stage::guarded_by(&LENIENT);
    assert_eq!(stage.tick("{}", SignedDuration::ZERO).await, "run_started");
    assert_eq!(stage.tick(body, ago).await, "run_started");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_refused_or_not_published_covers_nothing() {
    let stage = Stage::guarded_by(&STRICT);
    for _ in 0..2 {
        assert_eq!(stage.tick("{}", MINUTE * 5).await, "guard_refused");
    }
    let stage = Stage::guarded_by(&LENIENT);
    stage.users.refuse(true);
    for _ in 0..2 {
        let end = stage.tick("{}", MINUTE * 5).await;
        assert!(end.starts_with("retry: not every user message"), "{end}");
    }
    stage.users.refuse(false);
    assert_eq!(stage.tick("{}", MINUTE * 5).await, "run_started");
}

#[tokio::test(start_paused = true)]
async fn an_override_is_good_once_and_for_an_hour() {
    let stage = Stage::guarded_by(&STRICT);
    assert_eq!(stage.tick("{}", MINUTE).await, "guard_refused");
    assert_eq!(stage.published(), 0);
    assert_eq!(stage.tick(OVERRIDE, MINUTE * 61).await, "guard_refused");
    let long_ago_or_never = stage.tick_with(OVERRIDE, None, &[]).await;
    assert_eq!(long_ago_or_never, "guard_refused");
    let replayed = [("replay_id", "r")];
    let now = Some(Timestamp::now());
    let replayed = stage.tick_with(OVERRIDE, now, &replayed).await;
    assert_eq!(replayed, "guard_refused", "a replay drops it");
    assert_eq!(stage.published(), 0);
    assert_eq!(stage.tick(OVERRIDE, MINUTE * 59).await, "run_started");
    assert_eq!(stage.published(), MEMBERS);
    let next = stage.tick("{}", SignedDuration::ZERO).await;
    assert_eq!(next, "guard_refused", "the next run has the ordinary guard");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_resyncs_changes_no_more_than_the_hours_number() {
    let upstreams = Arc::new(Upstreams::of_members(MEMBERS));
    let handler: UserWorker = worker(&upstreams, &Arc::new(rules_with(&LENIENT)), 3);
    // Whoever publishes them has one in mind that needs a change, by turns a block and an unblock.
    let queue = Queue::new("user", &upstreams);
    let mut ends = Vec::new();
    for id in 10..10 + MEMBERS {
        let body = json!({ "gitlab_user_id": id }).to_string();
        queue.put(body.clone().into(), BTreeMap::new());
        let name = format!("m{id}");
        let delivery = delivery(&name, &body, Some(Timestamp::now()), &[]);
        ends.push(end(handler.handle(delivery).await));
    }
    let refused = DeadLetterReason::GuardRefused.as_str();
    assert!(ends[..3].iter().all(|end| end == "applied"), "{ends:?}");
    assert!(ends[3..].iter().all(|end| end == refused), "{ends:?}");
    assert_eq!(upstreams.lock().figures.changes, 3);
    let again = delivery("m10", r#"{"gitlab_user_id":10}"#, None, &[]);
    assert_eq!(
        end(handler.handle(again).await),
        "unchanged",
        "nothing to change is no flood"
    );
    tokio::time::advance(Duration::from_mins(61)).await;
    let later = delivery("m20", r#"{"gitlab_user_id":20}"#, None, &[]);
    assert_eq!(end(handler.handle(later).await), "applied", "an hour later");
}
