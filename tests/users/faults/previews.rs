//! A preview says what the stages then do. In memory, for states and messages by lot.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use lookup_gitlab_sync::{
    config::GuardConfig,
    directory::SharedLooks,
    messaging::{Delivery, Disposition, Handler, wire::SyncOutcome},
    users::{
        outcome::UserSyncResult,
        policy::Decision,
        preview::{Preview, Previewer},
        rules::Rules,
    },
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{
    process::{Queues, directory, fan_out, gitlab, rules_with, worker},
    upstreams::Upstreams,
};

const STATES: u64 = 40;
const MESSAGES: usize = 60;
/// One run for all messages, so that some find what an earlier one did.
const RUN: &str = "run-1";

/// What became of a message, or would: word, decision and reason.
type Ending = (String, Option<String>, Option<String>);

#[tokio::test(start_paused = true)]
async fn a_preview_of_a_users_message_says_what_the_worker_does() {
    let rules = Arc::new(rules_with(&GuardConfig::default()));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..STATES {
        let upstreams = Arc::new(Upstreams::new(seed));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let previewer = previewer(&upstreams, &rules);
        for _ in 0..MESSAGES {
            if rng.random_bool(0.5) {
                upstreams.meddle_somewhere();
            }
            let body = message(&upstreams, &mut rng);
            let preview = previewer.user(body.to_string().as_bytes(), RUN).await;
            // A process of its own: what is in one's memory, no preview knows.
            let worker = worker(&upstreams, &rules, 50);
            let done = worker.handle(delivery(&body)).await;
            let (foretold, done) = (foretold(preview.unwrap()), ending(done));
            assert_eq!(foretold, done, "state {seed}: {body}");
            *seen.entry(done.0).or_default() += 1;
        }
    }
    for word in [
        "applied",
        "changed_since_planned",
        "dry_run",
        "gone",
        "unchanged",
    ] {
        assert!(seen.contains_key(word), "{word} never came up: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_preview_of_a_tick_says_what_the_fan_out_does() {
    let narrow = GuardConfig {
        floor: 0,
        ..GuardConfig::default()
    };
    let wide = GuardConfig {
        max_block_percent: 100.0,
        max_unblock_percent: 100.0,
        ..GuardConfig::default()
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (seed, guard) in (0..STATES).zip([narrow, wide].iter().cycle()) {
        let rules = Arc::new(rules_with(guard));
        let upstreams = Arc::new(Upstreams::new(seed));
        let body = json!({ "dry_run": seed % 3 == 0 });
        let preview = previewer(&upstreams, &rules)
            .tick(body.to_string().as_bytes())
            .await;
        let queues = Queues::new(&upstreams);
        let done = fan_out(&upstreams, &queues.users, &rules)
            .handle(delivery(&body))
            .await;
        let foretold = match preview.unwrap() {
            Preview::Run {
                blocks,
                unblocks,
                keeps,
                dry_run,
            } => format!("run {blocks} {unblocks} {keeps} {dry_run}"),
            Preview::DeadLetter(reason, detail) => format!("{reason} {detail}"),
            other => panic!("{other:?}"),
        };
        let done = match done {
            Disposition::Done(record) => run_of(&record),
            Disposition::DeadLetter(letter) => format!("{} {}", letter.reason, letter.detail),
            other => panic!("{other:?}"),
        };
        assert_eq!(foretold, done, "state {seed}");
        let kind = done.split(' ').next().unwrap_or_default().to_owned();
        *seen.entry(kind).or_default() += 1;
    }
    assert!(
        seen.contains_key("run") && seen.contains_key("guard_refused"),
        "{seen:?}"
    );
}

fn previewer(upstreams: &Arc<Upstreams>, rules: &Arc<Rules>) -> Previewer {
    let looks = SharedLooks::new(directory(upstreams), 200);
    Previewer::new(
        gitlab(upstreams),
        directory(upstreams),
        looks,
        Arc::clone(rules),
    )
}

/// About anybody, by whatever names them, from a run or from a person.
fn message(upstreams: &Upstreams, rng: &mut ChaCha8Rng) -> Value {
    let accounts: Vec<(u64, String)> = upstreams
        .gitlab
        .snapshot()
        .into_iter()
        .map(|(id, account)| (id, account.username))
        .collect();
    let (id, username) = accounts.choose(rng).expect("GitLab has accounts").clone();
    let mut body = match rng.random_range(0..10) {
        0 => json!({ "gitlab_user_id": 4_000_000 }),
        1 => json!({ "username": username }),
        2 => json!({ "crsid": username }),
        _ => json!({ "gitlab_user_id": id }),
    };
    body["dry_run"] = json!(rng.random_bool(0.2));
    if rng.random_bool(0.3) {
        body["cause"] = json!("resync");
        return body;
    }
    body["cause"] = json!("tick");
    body["planned"] = json!(["block", "unblock", "keep"].choose(rng));
    let reasons = ["cancelled_in_lookup", "no_longer_cancelled", "inactive"];
    if rng.random_bool(0.3) {
        body["planned_reason"] = json!(reasons.choose(rng));
    }
    let age = match rng.random_range(0..8) {
        0 => None,
        1 => Some(SignedDuration::from_hours(30)),
        2 => Some(SignedDuration::from_hours(-3)),
        _ => Some(SignedDuration::from_mins(1)),
    };
    if let Some(age) = age {
        body["planned_at"] = json!(Timestamp::now() - age);
    }
    body
}

fn delivery(body: &Value) -> Arc<Delivery> {
    Arc::new(Delivery {
        message_id: "m1".to_owned(),
        body: body.to_string().into(),
        attributes: [("run".to_owned(), RUN.to_owned())].into(),
        publish_time: None,
        delivery_attempt: Some(1),
    })
}

/// A message whose plan says keep is done without a decision of the worker's own, so none is
/// compared.
fn foretold(preview: Preview) -> Ending {
    let (end, decision) = match preview {
        Preview::Change(decision) => (UserSyncResult::Applied, Some(decision)),
        Preview::DryRun(decision) => (UserSyncResult::DryRun, Some(decision)),
        Preview::Nothing(end, decision) => (end, decision),
        Preview::DeadLetter(reason, detail) => return (reason.to_string(), Some(detail), None),
        other @ (Preview::Run { .. } | Preview::Retry(_)) => panic!("{other:?}"),
    };
    let by_decision = decision.map(Decision::reason);
    (
        end.result().as_str().to_owned(),
        decision.map(|decision| decision.action().to_owned()),
        end.reason().or(by_decision).map(ToOwned::to_owned),
    )
}

fn ending(disposition: Disposition) -> Ending {
    match disposition {
        Disposition::Done(record) => {
            let SyncOutcome {
                result,
                decision,
                reason,
                calls,
                ..
            } = *record;
            let result = result.unwrap_or_default();
            if calls == Some(0) && result == "unchanged" && decision.as_deref() == Some("keep") {
                let of_worker = reason.as_deref() == Some("not_human");
                return (
                    result,
                    decision.filter(|_| of_worker),
                    reason.filter(|_| of_worker),
                );
            }
            (result, decision, reason)
        }
        Disposition::DeadLetter(letter) => (letter.reason.to_string(), Some(letter.detail), None),
        other => panic!("{other:?}"),
    }
}

fn run_of(record: &SyncOutcome) -> String {
    assert_eq!(record.kind.as_deref(), Some("run_started"));
    let number = |count: Option<u64>| count.expect("a run tells its counts");
    format!(
        "run {} {} {} {}",
        number(record.blocks),
        number(record.unblocks),
        number(record.keeps),
        record.dry_run == Some(true)
    )
}
