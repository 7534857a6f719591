//! Who waits at a closed gate, and who is its probe.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_waiter_is_let_through_as_the_probe_after_a_pause_and_its_success_opens_the_gate() {
    let gate = closed();
    let begun = Instant::now();
    let _permit = gate.passable().await;
    let waited = begun.elapsed().as_secs_f64();
    assert!((1.0..=2.1).contains(&waited), "{waited}");
    let guard = gate.enter().unwrap();
    assert!(guard.is_probe());
    assert!(gate.enter().is_err(), "there is one probe at a time");
    guard.succeeded();
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
    probe.failed(&GateFailure::new(ErrorKind::Unavailable, ""));
    assert!(gate.enter().is_err());
    let _permit = timeout(Duration::from_secs(10), gate.passable())
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
                let Ok(guard) = gate.enter() else { continue };
                tokio::time::sleep(Duration::from_millis(100)).await;
                guard.succeeded();
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
async fn a_probe_that_is_dropped_or_never_made_frees_the_place() {
    let gate = closed();
    let unused = gate.passable().await;
    drop(unused);
    let permit = timeout(Duration::from_secs(5), gate.passable())
        .await
        .unwrap();
    drop(gate.enter().unwrap());
    drop(permit);
    let _permit = timeout(Duration::from_secs(5), gate.passable())
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
    let _permit = timeout(Duration::from_secs(5), gate.passable())
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
                let _permit = gate.passable().await;
                let Ok(guard) = gate.enter() else { continue };
                if Instant::now() < up_at {
                    assert_eq!(
                        under_way.fetch_add(1, Ordering::SeqCst),
                        0,
                        "one probe at a time"
                    );
                    probes.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    guard.failed(&GateFailure::new(ErrorKind::Unavailable, ""));
                } else {
                    guard.succeeded();
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
