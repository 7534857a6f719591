//! Failures of calls that are each about one subject.

use super::*;

const BLOCK: &str = "block_user";
const UNBLOCK: &str = "unblock_user";

fn doubtful(gate: &Arc<Gate>, id: u64) -> FaultVerdict {
    let guard = gate.enter_for(BLOCK).unwrap();
    guard.doubtful(
        &Subject::account(id),
        &GateFailure::new(ErrorKind::ServerError, "answered 500"),
    )
}

fn ends(gate: &Arc<Gate>, purpose: &'static str, id: u64, said: Completion) {
    let guard = gate.enter_for(purpose).unwrap();
    guard.ended(said, Some(&Subject::account(id)));
}

/// A write gate that five different accounts closed.
fn closed_by_five() -> Arc<Gate> {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    for id in 1..=5 {
        doubtful(&gate, id);
    }
    assert!(gate.closed_because().is_some());
    gate
}

#[tokio::test(start_paused = true)]
async fn one_subject_that_fails_closes_no_gate_however_often() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    for _ in 0..50 {
        let verdict = doubtful(&gate, 1);
        assert!(
            matches!(verdict, FaultVerdict::Subject { .. }),
            "{verdict:?}"
        );
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_failed_while_another_succeeded_close_no_gate() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    for round in 0..25 {
        for id in 1..=4 {
            doubtful(&gate, round * 4 + id);
        }
        ends(&gate, BLOCK, 1_000, Completion::Whole);
    }
    for id in 1..=100 {
        let verdict = doubtful(&gate, id);
        assert!(
            matches!(verdict, FaultVerdict::Subject { .. }),
            "{verdict:?}"
        );
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn five_different_subjects_close_it_unless_one_succeeds_as_a_whole_between_them() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    for id in 1..=4 {
        doubtful(&gate, id);
    }
    ends(&gate, BLOCK, 9, Completion::Whole);
    for id in 11..=14 {
        doubtful(&gate, id);
        ends(&gate, BLOCK, 9, Completion::Part);
    }
    assert_eq!(gate.closed_because(), None);
    doubtful(&gate, 15);
    let why = gate.closed_because().unwrap();
    assert!(why.contains("5 different ones"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_different_subjects_closed_only_a_whole_success_of_the_same_purpose_opens() {
    let gate = closed_by_five();
    ends(&gate, UNBLOCK, 6, Completion::Whole);
    assert!(
        gate.closed_because().is_some(),
        "an unblock is let through and opens nothing"
    );
    for said in [Completion::Part, Completion::Judged] {
        let _permit = gate.passable().await;
        ends(&gate, BLOCK, 6, said);
        assert!(gate.closed_because().is_some(), "{said:?}");
    }
    ends(&gate, BLOCK, 6, Completion::Whole);
    assert_eq!(gate.closed_because(), None);
    for id in 1..=5 {
        let verdict = doubtful(&gate, id);
        assert_eq!(
            verdict,
            FaultVerdict::Subject { news: id != 1 },
            "they failed alone"
        );
    }
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_change_neither_resets_nor_opens_what_the_whole_failed() {
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    let throttled = GateFailure::new(ErrorKind::Throttled, "answered 429");
    for _ in 0..FAILURES {
        ends(&gate, BLOCK, 1, Completion::Part);
        let guard = gate.enter_for(BLOCK).unwrap();
        guard.failed_about(Some(&Subject::account(1)), &throttled);
    }
    assert!(gate.closed_because().is_some());
    let _permit = gate.passable().await;
    ends(&gate, BLOCK, 1, Completion::Part);
    assert!(gate.closed_because().is_some());
    ends(&gate, BLOCK, 1, Completion::Whole);
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_failed_yet_is_the_probe_before_those_who_have() {
    let gate = closed_by_five();
    let mut again = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let gate = Arc::clone(&gate);
        again.spawn(async move {
            let _permit = gate.passable_again().await;
            panic!("one who failed is the probe");
        });
    }
    tokio::task::yield_now().await;
    let _permit = timeout(Duration::from_secs(10), gate.passable())
        .await
        .unwrap();
    assert!(gate.enter_for(BLOCK).unwrap().is_probe());
    again.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_one_subject_was_told_holds_for_another_only_once_it_is_told_the_same() {
    let maintenance = GateFailure {
        retry_after: Some(Duration::from_mins(15)),
        ..GateFailure::new(ErrorKind::Maintenance, "is in maintenance")
    };
    let told = |gate: &Arc<Gate>, id| {
        let about = Subject::account(id);
        let guard = gate.enter_for(BLOCK).unwrap();
        guard.failed_about(Some(&about), &maintenance);
    };
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    told(&gate, 1);
    let permit = timeout(Duration::from_secs(5), gate.passable()).await;
    told(&gate, 2);
    drop(permit);
    assert!(waits(&gate).await > Duration::from_mins(14));
    // One alone is believed by itself.
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
    told(&gate, 1);
    let begun = Instant::now();
    let _permit = gate.passable_again().await;
    assert!(begun.elapsed() > Duration::from_mins(14));
}
