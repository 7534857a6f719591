#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::timeout;

use super::*;

fn fault(kind: ErrorKind) -> Fault {
    Fault::new(kind, "answered 503")
}

fn fail(gate: &Arc<Gate>) {
    gate.enter()
        .unwrap()
        .failed(&fault(ErrorKind::Unavailable), "GitLab answered 503");
}

fn closed() -> Arc<Gate> {
    let gate = Gate::new(Name::GitLab, Side::Read);
    for _ in 0..FAILURES {
        fail(&gate);
    }
    gate
}

async fn waits(gate: &Arc<Gate>) -> Duration {
    let begun = Instant::now();
    let _passage = gate.passable().await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn it_closes_after_three_failures_in_a_row_and_not_before() {
    let gate = Gate::new(Name::GitLab, Side::Read);
    fail(&gate);
    fail(&gate);
    gate.enter().unwrap().succeeded();
    fail(&gate);
    fail(&gate);
    assert_eq!(gate.closed_because(), None);
    fail(&gate);
    let why = gate.closed_because().unwrap();
    assert!(
        why.starts_with("GitLab answered 503 (held since 2"),
        "{why}"
    );
    let shut = gate.enter().unwrap_err();
    assert_eq!(shut.kind, ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_close_it_at_once() {
    for kind in [ErrorKind::Unauthenticated, ErrorKind::Forbidden] {
        let gate = Gate::new(Name::GitLab, Side::Read);
        gate.enter()
            .unwrap()
            .failed(&fault(kind), "GitLab answered 401");
        assert_eq!(gate.enter().unwrap_err().kind, kind);
    }
}

const BLOCK: &str = "block_user";
const UNBLOCK: &str = "unblock_user";

fn doubtful(gate: &Arc<Gate>, id: u64) -> Verdict {
    let ticket = gate.enter_for(BLOCK).unwrap();
    ticket.doubtful(
        &Subject::account(id),
        &fault(ErrorKind::ServerError),
        "answered 500",
    )
}

fn ends(gate: &Arc<Gate>, purpose: &'static str, id: u64, said: Said) {
    let ticket = gate.enter_for(purpose).unwrap();
    ticket.ended(said, Some(&Subject::account(id)));
}

/// A write gate that five different accounts closed.
fn closed_by_five() -> Arc<Gate> {
    let gate = Gate::new(Name::GitLab, Side::Write);
    for id in 1..=5 {
        doubtful(&gate, id);
    }
    assert!(gate.closed_because().is_some());
    gate
}

#[tokio::test(start_paused = true)]
async fn one_subject_that_fails_closes_no_gate_however_often() {
    let gate = Gate::new(Name::GitLab, Side::Write);
    for _ in 0..50 {
        let verdict = doubtful(&gate, 1);
        assert!(matches!(verdict, Verdict::Subject { .. }), "{verdict:?}");
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_failed_while_another_succeeded_close_no_gate() {
    let gate = Gate::new(Name::GitLab, Side::Write);
    for round in 0..25 {
        for id in 1..=4 {
            doubtful(&gate, round * 4 + id);
        }
        ends(&gate, BLOCK, 1_000, Said::Whole);
    }
    for id in 1..=100 {
        let verdict = doubtful(&gate, id);
        assert!(matches!(verdict, Verdict::Subject { .. }), "{verdict:?}");
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn five_different_subjects_close_it_unless_one_succeeds_as_a_whole_between_them() {
    let gate = Gate::new(Name::GitLab, Side::Write);
    for id in 1..=4 {
        doubtful(&gate, id);
    }
    ends(&gate, BLOCK, 9, Said::Whole);
    for id in 11..=14 {
        doubtful(&gate, id);
        ends(&gate, BLOCK, 9, Said::Part);
    }
    assert_eq!(gate.closed_because(), None);
    doubtful(&gate, 15);
    let why = gate.closed_because().unwrap();
    assert!(why.contains("5 different ones"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_different_subjects_closed_only_a_whole_success_of_the_same_purpose_opens() {
    let gate = closed_by_five();
    ends(&gate, UNBLOCK, 6, Said::Whole);
    assert!(
        gate.closed_because().is_some(),
        "an unblock is let through and opens nothing"
    );
    for said in [Said::Part, Said::Judged] {
        let _passage = gate.passable().await;
        ends(&gate, BLOCK, 6, said);
        assert!(gate.closed_because().is_some(), "{said:?}");
    }
    ends(&gate, BLOCK, 6, Said::Whole);
    assert_eq!(gate.closed_because(), None);
    for id in 1..=5 {
        let verdict = doubtful(&gate, id);
        assert_eq!(
            verdict,
            Verdict::Subject { news: id != 1 },
            "they failed alone"
        );
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_change_neither_resets_nor_opens_what_the_whole_failed() {
    let gate = Gate::new(Name::GitLab, Side::Write);
    let throttled = fault(ErrorKind::Throttled);
    for _ in 0..FAILURES {
        ends(&gate, BLOCK, 1, Said::Part);
        let ticket = gate.enter_for(BLOCK).unwrap();
        ticket.failed_about(Some(&Subject::account(1)), &throttled, "answered 429");
    }
    assert!(gate.closed_because().is_some());
    let _passage = gate.passable().await;
    ends(&gate, BLOCK, 1, Said::Part);
    assert!(gate.closed_because().is_some());
    ends(&gate, BLOCK, 1, Said::Whole);
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_failed_yet_is_the_probe_before_those_who_have() {
    let gate = closed_by_five();
    let mut again = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let gate = Arc::clone(&gate);
        again.spawn(async move {
            let _passage = gate.passable_again().await;
            panic!("one who failed is the probe");
        });
    }
    tokio::task::yield_now().await;
    let _passage = timeout(Duration::from_secs(10), gate.passable())
        .await
        .unwrap();
    assert!(gate.enter_for(BLOCK).unwrap().is_probe());
    again.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_one_subject_was_told_holds_for_another_only_once_it_is_told_the_same() {
    let maintenance = fault(ErrorKind::Maintenance).after(Some(Duration::from_mins(15)));
    let told = |gate: &Arc<Gate>, id| {
        let about = Subject::account(id);
        let ticket = gate.enter_for(BLOCK).unwrap();
        ticket.failed_about(Some(&about), &maintenance, "is in maintenance");
    };
    let gate = Gate::new(Name::GitLab, Side::Write);
    told(&gate, 1);
    let passage = timeout(Duration::from_secs(5), gate.passable()).await;
    told(&gate, 2);
    drop(passage);
    assert!(waits(&gate).await > Duration::from_mins(14));
    // One alone is believed by itself.
    let gate = Gate::new(Name::GitLab, Side::Write);
    told(&gate, 1);
    let begun = Instant::now();
    let _passage = gate.passable_again().await;
    assert!(begun.elapsed() > Duration::from_mins(14));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_let_through_as_the_probe_after_a_pause_and_its_success_opens_the_gate() {
    let gate = closed();
    let begun = Instant::now();
    let _passage = gate.passable().await;
    let waited = begun.elapsed().as_secs_f64();
    assert!((1.0..=2.1).contains(&waited), "{waited}");
    let ticket = gate.enter().unwrap();
    assert!(ticket.is_probe());
    assert!(gate.enter().is_err(), "there is one probe at a time");
    ticket.succeeded();
    assert_eq!(gate.closed_because(), None);
    assert!(!gate.enter().unwrap().is_probe());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_did_not_wait_fails_at_once_until_a_probe_is_due_and_then_is_the_only_one() {
    let gate = closed();
    assert!(gate.enter().is_err());
    tokio::time::advance(Duration::from_secs(3)).await;
    let probe = gate.enter().unwrap();
    assert!(probe.is_probe());
    assert!(gate.enter().is_err());
    let waiting = timeout(Duration::from_secs(10), gate.passable()).await;
    assert!(waiting.is_err(), "the queue waits for that probe too");
    probe.failed(&fault(ErrorKind::Unavailable), "");
    assert!(gate.enter().is_err());
    let _passage = timeout(Duration::from_secs(10), gate.passable())
        .await
        .unwrap();
    gate.enter().unwrap().succeeded();
    assert_eq!(gate.closed_because(), None);
}

/// A consumer that gives its place back at once must not keep the gate closed for ever.
#[tokio::test(start_paused = true)]
async fn waiters_that_drop_their_leave_before_they_call_still_open_the_gate() {
    let gate = closed();
    let mut waiters = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let gate = Arc::clone(&gate);
        waiters.spawn(async move {
            loop {
                drop(gate.passable().await);
                tokio::time::sleep(Duration::from_millis(10)).await;
                let Ok(ticket) = gate.enter() else { continue };
                tokio::time::sleep(Duration::from_millis(100)).await;
                ticket.succeeded();
                return;
            }
        });
    }
    while let Some(done) = timeout(Duration::from_mins(1), waiters.join_next())
        .await
        .unwrap()
    {
        done.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_pauses_grow_to_a_minute_at_most() {
    let gate = closed();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let begun = Instant::now();
        let _passage = gate.passable().await;
        pauses.push(begun.elapsed().as_secs_f64());
        gate.enter()
            .unwrap()
            .failed(&fault(ErrorKind::Unavailable), "");
    }
    assert!(
        pauses.iter().all(|pause| (1.0..=60.1).contains(pause)),
        "{pauses:?}"
    );
    assert!(
        pauses.iter().skip(6).all(|pause| *pause >= 30.0),
        "{pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_probe_goes_before_retry_after() {
    let asking = fault(ErrorKind::Throttled).after(Some(Duration::from_mins(5)));
    let gate = closed();
    let passage = gate.passable().await;
    gate.enter().unwrap().failed(&asking, "");
    drop(passage);
    assert!(waits(&gate).await >= Duration::from_mins(5));

    let gate = Gate::new(Name::GitLab, Side::Read);
    for _ in 0..FAILURES {
        gate.enter().unwrap().failed(&asking, "");
    }
    assert!(waits(&gate).await >= Duration::from_mins(5));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_did_not_close_it_keeps_waiters_from_a_tight_loop() {
    let gate = Gate::new(Name::GitLab, Side::Read);
    fail(&gate);
    assert!(gate.enter().is_ok(), "calls still go through");
    assert!(waits(&gate).await >= Duration::from_secs(1));
    gate.rest_until(Instant::now() + Duration::from_secs(30));
    assert!(waits(&gate).await >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_or_never_made_frees_the_place() {
    let gate = closed();
    let unused = gate.passable().await;
    drop(unused);
    let passage = timeout(Duration::from_secs(5), gate.passable())
        .await
        .unwrap();
    drop(gate.enter().unwrap());
    drop(passage);
    let _passage = timeout(Duration::from_secs(5), gate.passable())
        .await
        .unwrap();
    assert!(gate.enter().unwrap().is_probe());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_leaves_the_queue() {
    let gate = closed();
    assert!(
        timeout(Duration::from_millis(10), gate.passable())
            .await
            .is_err()
    );
    let _passage = timeout(Duration::from_secs(5), gate.passable())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_probed_may_wait_again_while_still_holding_the_old_leave() {
    let gate = closed();
    let old = gate.passable().await;
    fail(&gate);
    let new = timeout(Duration::from_mins(1), gate.passable())
        .await
        .unwrap();
    drop(old);
    assert!(
        gate.enter().unwrap().is_probe(),
        "the old leave does not take the new one's place away"
    );
    drop(new);
}

#[tokio::test(start_paused = true)]
async fn calls_that_began_before_it_closed_neither_open_it_nor_lengthen_its_pause() {
    let gate = Gate::new(Name::GitLab, Side::Read);
    let (late_success, late_failure) = (gate.enter().unwrap(), gate.enter().unwrap());
    for _ in 0..FAILURES {
        fail(&gate);
    }
    late_success.succeeded();
    late_failure.failed(&fault(ErrorKind::Unavailable), "");
    assert!(gate.closed_because().is_some());
    assert!(waits(&gate).await <= Duration::from_millis(2_100));
}

/// The goal of the messaging design, in memory: down for two hours with 5,000 waiting.
#[tokio::test(start_paused = true)]
async fn five_thousand_waiters_make_one_probe_at_a_time_and_all_go_on_once_it_opens() {
    let gate = closed();
    let up_at = Instant::now() + Duration::from_hours(2);
    let (under_way, probes) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut waiters = tokio::task::JoinSet::new();
    for _ in 0..5_000 {
        let (gate, under_way, probes) = (
            Arc::clone(&gate),
            Arc::clone(&under_way),
            Arc::clone(&probes),
        );
        waiters.spawn(async move {
            loop {
                let _passage = gate.passable().await;
                let Ok(ticket) = gate.enter() else { continue };
                if Instant::now() < up_at {
                    assert_eq!(
                        under_way.fetch_add(1, Ordering::SeqCst),
                        0,
                        "one probe at a time"
                    );
                    probes.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    ticket.failed(&fault(ErrorKind::Unavailable), "");
                } else {
                    ticket.succeeded();
                    return;
                }
            }
        });
    }
    while let Some(done) = waiters.join_next().await {
        done.unwrap();
    }
    let late = Instant::now().saturating_duration_since(up_at);
    assert!(
        late <= Duration::from_secs(61),
        "the last went on {late:?} after it was up again"
    );
    let probes = probes.load(Ordering::SeqCst);
    assert!(
        (110..=260).contains(&probes),
        "{probes} probes in two hours"
    );
}
