//! What this service's own outcomes tell.

use std::collections::BTreeSet;

use super::{HistoryEntry, HistoryEvent, HistorySource, NamedAccount};
use crate::{
    messaging::wire::{OutcomeKind, OutcomeResult, SyncOutcome},
    users::{account::AccountId, block_record::Blocker},
};

/// What `outcome` tells of a change or of a refusal; `None` where it tells of neither, or not when.
pub fn reported(outcome: SyncOutcome) -> Option<HistoryEntry> {
    let at = outcome.at.as_deref()?.parse().ok()?;
    let event = match outcome.known_kind()? {
        OutcomeKind::User => change(&outcome)?,
        OutcomeKind::RunRefused(_) => HistoryEvent::RunRefused,
        OutcomeKind::Namespace
        | OutcomeKind::RunReading
        | OutcomeKind::RunHeld
        | OutcomeKind::RunStarted
        | OutcomeKind::Coalesced
        | OutcomeKind::DeadLettered => return None,
    };
    let is_run = event == HistoryEvent::RunRefused;
    let account = outcome.gitlab_user_id.map(|id| NamedAccount {
        id: AccountId(id),
        username: outcome.username.unwrap_or_default(),
    });
    if account.is_none() != is_run {
        return None;
    }
    Some(HistoryEntry {
        at: Some(at),
        after: None,
        account,
        event,
        by: Blocker::ThisService,
        reason: if is_run { outcome.kind } else { outcome.reason },
        run: outcome.run,
        detail: outcome.detail,
        sources: BTreeSet::from([HistorySource::Outcome]),
    })
}

fn change(outcome: &SyncOutcome) -> Option<HistoryEvent> {
    match (outcome.known_result()?, outcome.decision.as_deref()?) {
        (OutcomeResult::Applied, "block") => Some(HistoryEvent::Blocked),
        (OutcomeResult::Applied, "unblock") => Some(HistoryEvent::Unblocked),
        (OutcomeResult::StateForbids, "block") => Some(HistoryEvent::BlockRefused),
        (OutcomeResult::StateForbids, "unblock") => Some(HistoryEvent::UnblockRefused),
        (
            OutcomeResult::Applied
            | OutcomeResult::StateForbids
            | OutcomeResult::AlreadySo
            | OutcomeResult::DryRun
            | OutcomeResult::Unchanged
            | OutcomeResult::ChangedSincePlanned
            | OutcomeResult::Gone
            | OutcomeResult::Superseded,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::users::history::HistoryFilter;

    const AT: &str = "2026-11-01T02:00:00Z";

    fn outcome(decision: &str, result: &str) -> SyncOutcome {
        SyncOutcome {
            kind: Some("user".to_owned()),
            gitlab_user_id: Some(42),
            decision: Some(decision.to_owned()),
            result: Some(result.to_owned()),
            at: Some(AT.to_owned()),
            ..SyncOutcome::default()
        }
    }

    #[rstest]
    #[case::dry(outcome("block", "dry_run"))]
    #[case::kept(outcome("keep", "applied"))]
    #[case::newer(outcome("block", "postponed"))]
    #[case::without_a_time(SyncOutcome { at: None, ..outcome("block", "applied") })]
    #[case::with_a_broken_time(SyncOutcome { at: Some("yesterday".to_owned()), ..outcome("block", "applied") })]
    #[case::of_nobody(SyncOutcome { gitlab_user_id: None, ..outcome("block", "applied") })]
    #[case::of_a_namespace(SyncOutcome { kind: Some("namespace".to_owned()), ..outcome("block", "applied") })]
    fn an_outcome_that_tells_of_no_change_is_no_entry(#[case] outcome: SyncOutcome) {
        assert_eq!(reported(outcome), None);
    }

    #[test]
    fn a_run_that_was_refused_is_an_entry_without_an_account() {
        let refused = SyncOutcome {
            kind: Some("guard_refused".to_owned()),
            run: Some("r9".to_owned()),
            detail: Some("too many".to_owned()),
            at: Some(AT.to_owned()),
            ..SyncOutcome::default()
        };
        let entry = reported(refused).unwrap();
        assert_eq!(entry.event, HistoryEvent::RunRefused);
        assert_eq!(
            (entry.account.is_none(), entry.reason.as_deref()),
            (true, Some("guard_refused"))
        );
        let of_one = HistoryFilter {
            account: Some(AccountId(42)),
            ..HistoryFilter::default()
        };
        assert!(!of_one.admits(&entry));
    }
}
