//! The consumer in memory and under virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; one handler panics on purpose"
)]

mod doubles;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use self::doubles::{PausedFor, Scene};
use crate::{
    gate::{CallKind, ErrorKind, Gate, UpstreamId},
    messaging::{
        DeadLetter, DeadLetterReason, Disposition, Hold, HoldPoint, disposition::Met,
        wire::SyncOutcome,
    },
    pause::WriteSwitch,
    upstream::Fault,
};

fn done() -> Disposition {
    Disposition::Done(Box::new(SyncOutcome {
        kind: Some("user".to_owned()),
        ..SyncOutcome::default()
    }))
}

fn retry() -> Disposition {
    Disposition::Retry("the look was too old".to_owned())
}

fn dead_letter() -> Disposition {
    Disposition::DeadLetter(DeadLetter {
        reason: DeadLetterReason::InvalidField,
        detail: "crsid: expected\nsomething".to_owned(),
        record: None,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_recorded_and_then_acked() {
    let (journal, records) = Scene::new()
        .at_attempt(Some(2))
        .answering(done)
        .play()
        .await;
    assert_eq!(journal, ["record user", "ack"]);
    let record = records.first().unwrap();
    assert_eq!(record.run.as_deref(), Some("r1"));
    assert_eq!(record.message_id.as_deref(), Some("m1"));
    assert_eq!(record.stage.as_deref(), Some("user-worker"));
    assert_eq!(record.delivery_attempt, Some(2));
    assert_eq!(record.milliseconds, Some(40));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_nacked_and_not_recorded() {
    let (journal, _) = Scene::new()
        .at_attempt(Some(9))
        .answering(retry)
        .play()
        .await;
    assert_eq!(journal, ["nack"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_at_attempt_ten_becomes_a_dead_letter() {
    let (journal, records) = Scene::new()
        .at_attempt(Some(10))
        .answering(retry)
        .play()
        .await;
    assert_eq!(
        journal,
        [
            "copy of the body for attempts_exhausted: the look was too old",
            "record dead_lettered",
            "ack"
        ]
    );
    let record = records.first().unwrap();
    assert_eq!(
        record.dead_letter_reason.as_deref(),
        Some("attempts_exhausted")
    );
    assert_eq!(
        record.gitlab_user_id,
        Some(42),
        "it tells whom it was about"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_attempt_is_never_the_last() {
    let (journal, _) = Scene::new().at_attempt(None).answering(retry).play().await;
    assert_eq!(journal, ["nack"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_acked_only_after_its_copy_is_confirmed() {
    let (journal, records) = Scene::new().answering(dead_letter).play().await;
    assert_eq!(
        journal,
        [
            "copy of the body for invalid_field: crsid: expected\nsomething",
            "record dead_lettered",
            "ack"
        ]
    );
    let record = records.first().unwrap();
    assert_eq!(record.detail.as_deref(), Some("crsid: expected something"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_copy_is_refused_is_nacked() {
    let mut scene = Scene::new().answering(dead_letter);
    scene.refuses_copies = true;
    let (journal, _) = scene.play().await;
    assert_eq!(journal, ["nack"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_retry() {
    let (journal, _) = Scene::new().answering(|| panic!("a bug")).play().await;
    assert_eq!(journal, ["nack"]);
}

/// A gate that GitLab's writes find closed.
fn closed_gate() -> Arc<Gate> {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    for _ in 0..3 {
        let fault = Fault::new(ErrorKind::TimedOut, "gave no answer".to_owned());
        gate.enter()
            .unwrap()
            .failed(&fault.at_gate("gave no answer"));
    }
    assert!(gate.closed_because().is_some());
    gate
}

#[tokio::test(start_paused = true)]
async fn a_held_message_stays_leased_until_the_gate_opens_and_is_then_done() {
    let gate = closed_gate();
    let held = Arc::clone(&gate);
    let probing = Arc::clone(&gate);
    let scene = Scene::new()
        .at_attempt(Some(10))
        .answering(move || Disposition::Hold(held.into()))
        .answering(move || {
            // It was let through as the one probe, and still is while it works.
            probing.enter().unwrap().succeeded();
            done()
        });
    let (journal, _) = scene.play().await;
    // Attempt 10 and yet no dead letter: holding spends none.
    assert_eq!(journal, ["record user", "ack"]);
    assert!(gate.closed_because().is_none());
}

#[tokio::test(start_paused = true)]
async fn two_hours_of_outage_cost_a_held_message_nothing() {
    let gate = closed_gate();
    let began = Instant::now();
    let outage = Duration::from_hours(2);
    let mut scene = Scene::new().at_attempt(Some(10));
    for _ in 0..1000 {
        let gate = Arc::clone(&gate);
        scene = scene.answering(move || {
            let Ok(guard) = gate.enter() else {
                return Disposition::Hold(gate.into());
            };
            if began.elapsed() < outage {
                let fault = Fault::new(ErrorKind::TimedOut, "gave no answer".to_owned());
                guard.failed(&fault.at_gate("gave no answer"));
                return Disposition::Hold(gate.into());
            }
            guard.succeeded();
            done()
        });
    }
    let (journal, _) = scene.play().await;
    assert_eq!(journal, ["record user", "ack"]);
    assert!(began.elapsed() >= outage);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_held_at_an_open_gate_asks_less_and_less_often() {
    let began = Instant::now();
    let mut scene = Scene::new();
    for _ in 0..20 {
        let open = Gate::new(UpstreamId::GitLab, CallKind::Write);
        scene = scene.answering(move || Disposition::Hold(open.into()));
    }
    let (journal, _) = scene.answering(done).play().await;
    assert_eq!(journal, ["record user", "ack"]);
    assert!(began.elapsed() > Duration::from_mins(5));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_probes_fail_gives_its_place_to_another_and_spends_no_attempt() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    let fails = |gate: &Arc<Gate>| {
        if let Ok(guard) = gate.enter_for("block_user") {
            let fault = Fault::new(ErrorKind::Unreachable, "no answer");
            guard.failed(&fault.at_gate("GitLab does not answer"));
        }
        Disposition::Hold(Hold {
            at: HoldPoint::Gate(Arc::clone(gate)),
            met: Some(Met {
                purpose: "block_user",
                why: "GitLab does not answer".to_owned(),
            }),
        })
    };
    while gate.closed_because().is_none() {
        let _ = fails(&gate);
    }
    // The first call is no probe: it has not waited for the gate. Where a slot is free, another
    // message can probe as it is; one that was delivered often stays, or Pub/Sub would give it up.
    for (other_works, attempt, calls, end) in [
        (true, 10, 4, "nack"),
        (false, 10, 9, "ack"),
        (true, 50, 9, "ack"),
    ] {
        let asked = Arc::new(AtomicU32::new(0));
        let mut scene = Scene::new().at_attempt(Some(attempt));
        scene.other_works = other_works;
        for _ in 0..8 {
            let (gate, asked) = (Arc::clone(&gate), Arc::clone(&asked));
            scene = scene.answering(move || {
                asked.fetch_add(1, Ordering::Relaxed);
                fails(&gate)
            });
        }
        let last = Arc::clone(&asked);
        scene = scene.answering(move || {
            last.fetch_add(1, Ordering::Relaxed);
            done()
        });
        let (journal, _) = scene.play().await;
        assert_eq!(journal.last().map(String::as_str), Some(end));
        assert_eq!(asked.load(Ordering::Relaxed), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_the_end_of_a_pause_and_its_run_is_told_so() {
    let paused = PausedFor(Instant::now() + Duration::from_hours(30));
    let switch = WriteSwitch::watching(paused).await.unwrap();
    let scene = Scene::new()
        .at_attempt(Some(10))
        .answering(move || Disposition::Hold(switch.into()))
        .answering(done);
    let held = Arc::clone(&scene.records.held);
    let began = Instant::now();
    let (journal, _) = scene.play().await;
    assert_eq!(journal, ["record user", "ack"]);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_hours(30) && waited < Duration::from_hours(31));
    let held = held.lock().unwrap();
    assert_eq!(held[0].gate.as_deref(), Some("pause"));
    let why = held[0].detail.as_deref().unwrap();
    assert!(why.contains("paused since"), "{why}");
}

/// At an open gate, by its own failed call, after so many others succeeded.
fn held_alone(gate: &Arc<Gate>) -> Disposition {
    gate.enter_for("block_user").unwrap().succeeded();
    Disposition::Hold(Hold {
        at: HoldPoint::Gate(Arc::clone(gate)),
        met: Some(Met {
            purpose: "block_user",
            why: "GitLab answered 422 (not this one)".to_owned(),
        }),
    })
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_held_by_its_own_failures_while_others_succeed_is_tried_again_and_then_dies()
 {
    for (attempt, end) in [
        (1, "nack"),
        (
            10,
            "copy of the body for attempts_exhausted: GitLab answered 422 (not this one)",
        ),
    ] {
        let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
        let mut scene = Scene::new().at_attempt(Some(attempt));
        for _ in 0..6 {
            let gate = Arc::clone(&gate);
            scene = scene.answering(move || held_alone(&gate));
        }
        let (journal, _) = scene.play().await;
        assert_eq!(journal[0], end);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_calls_are_withheld_is_held_for_as_long_as_it_takes() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    let mut scene = Scene::new().at_attempt(Some(10));
    for _ in 0..50 {
        let gate = Arc::clone(&gate);
        scene = scene.answering(move || {
            gate.enter_for("block_user").unwrap().succeeded();
            Disposition::Hold(gate.into())
        });
    }
    let (journal, _) = scene.answering(done).play().await;
    assert_eq!(journal, ["record user", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_given_back_at_once_on_shutdown() {
    let gate = closed_gate();
    let mut scene = Scene::new().answering(move || Disposition::Hold(gate.into()));
    let dispatch = scene.dispatch();
    let stopping = scene.stopping.clone();
    let settling = dispatch.settle(scene.delivery(), scene.lease(), &scene.stopping);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stopping.cancel();
    };
    let began = Instant::now();
    tokio::join!(settling, stop);
    assert_eq!(scene.records.journal.lines(), ["nack"]);
    assert_eq!(began.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn shutdown_never_dead_letters() {
    for step in [dead_letter, retry] {
        let scene = Scene::new().at_attempt(Some(10)).answering(step);
        scene.stopping.cancel();
        let (journal, _) = scene.play().await;
        assert_eq!(journal, ["nack"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_during_shutdown_is_still_acked() {
    let scene = Scene::new().answering(done);
    scene.stopping.cancel();
    let (journal, _) = scene.play().await;
    assert_eq!(journal, ["record user", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_given_up_half_way_is_nacked() {
    let mut scene = Scene::new().answering(done);
    let dispatch = scene.dispatch();
    let settling = dispatch.settle(scene.delivery(), scene.lease(), &scene.stopping);
    let ended = tokio::time::timeout(Duration::from_millis(10), settling).await;
    assert!(ended.is_err());
    assert_eq!(scene.records.journal.lines(), ["nack by drop"]);
}
