//! When a gate closes and how long its pauses are.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod queue;
mod subjects;

use tokio::time::timeout;

use super::*;

fn fail(gate: &Arc<Gate>) {
    gate.enter().unwrap().failed(&GateFailure::new(
        ErrorKind::Unavailable,
        "GitLab answered 503",
    ));
}

fn closed() -> Arc<Gate> {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    for _ in 0..FAILURES {
        fail(&gate);
    }
    gate
}

async fn waits(gate: &Arc<Gate>) -> Duration {
    let begun = Instant::now();
    let _permit = gate.passable().await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn it_closes_after_three_failures_in_a_row_and_not_before() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
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
    let closed = gate.enter().unwrap_err();
    assert_eq!(closed.kind, ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_close_it_at_once() {
    for kind in [ErrorKind::Unauthenticated, ErrorKind::Forbidden] {
        let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
        gate.enter()
            .unwrap()
            .failed(&GateFailure::new(kind, "GitLab answered 401"));
        assert_eq!(gate.enter().unwrap_err().kind, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pauses_grow_to_a_minute_at_most() {
    let gate = closed();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let begun = Instant::now();
        let _permit = gate.passable().await;
        pauses.push(begun.elapsed().as_secs_f64());
        gate.enter()
            .unwrap()
            .failed(&GateFailure::new(ErrorKind::Unavailable, ""));
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
    let asking = GateFailure {
        retry_after: Some(Duration::from_mins(5)),
        ..GateFailure::new(ErrorKind::Throttled, "")
    };
    let gate = closed();
    let permit = gate.passable().await;
    gate.enter().unwrap().failed(&asking);
    drop(permit);
    assert!(waits(&gate).await >= Duration::from_mins(5));

    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    for _ in 0..FAILURES {
        gate.enter().unwrap().failed(&asking);
    }
    assert!(waits(&gate).await >= Duration::from_mins(5));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_did_not_close_it_keeps_waiters_from_a_tight_loop() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    fail(&gate);
    assert!(gate.enter().is_ok(), "calls still go through");
    assert!(waits(&gate).await >= Duration::from_secs(1));
    gate.rest_until(Instant::now() + Duration::from_secs(30));
    assert!(waits(&gate).await >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn calls_that_began_before_it_closed_neither_open_it_nor_lengthen_its_pause() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    let (late_success, late_failure) = (gate.enter().unwrap(), gate.enter().unwrap());
    for _ in 0..FAILURES {
        fail(&gate);
    }
    late_success.succeeded();
    late_failure.failed(&GateFailure::new(ErrorKind::Unavailable, ""));
    assert!(gate.closed_because().is_some());
    assert!(waits(&gate).await <= Duration::from_millis(2_100));
}
