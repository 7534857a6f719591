//! What earlier runs have planned and may still change: the part of the guard's count that GitLab
//! does not show yet.
//!
//! With [`super::lapse`] it makes the guard's promise hold whatever the workers do. A message may
//! write until its plan lapses, and until then every later run of the same process counts it.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{account::AccountId, lapse::CLOCKS, plan::Plan, policy::Decision};

/// The changes that one process has planned and that have not lapsed.
#[derive(Debug)]
pub struct OnItsWay {
    counts_for: SignedDuration,
    runs: VecDeque<Run>,
}

/// What one run planned.
#[derive(Debug)]
struct Run {
    planned_at: Timestamp,
    blocks: Vec<AccountId>,
    unblocks: Vec<AccountId>,
}

impl OnItsWay {
    /// Nothing yet. A plan lapses `lapses` after it was made, by the clock of whoever applies it.
    pub fn new(lapses: SignedDuration) -> Self {
        Self {
            counts_for: lapses + CLOCKS,
            runs: VecDeque::new(),
        }
    }

    /// Adds to the tally of `plan`, made at `now`, what earlier runs may still change and `plan`
    /// does not count itself: as a change of its own, or as one of the last 24 hours.
    pub fn count_in(&mut self, plan: &mut Plan, now: Timestamp) {
        let counts = |run: &Run| now.duration_since(run.planned_at) <= self.counts_for;
        self.runs.retain(counts);
        let all = |changes: fn(&Run) -> &[AccountId]| -> BTreeSet<AccountId> {
            self.runs.iter().flat_map(changes).copied().collect()
        };
        let (mut blocks, mut unblocks) = (all(|run| &run.blocks), all(|run| &run.unblocks));
        for decided in &plan.decided {
            let counted = decided.account.counted;
            if counted.recently_blocked || matches!(decided.decision, Decision::Block(_)) {
                blocks.remove(&decided.account.id);
            }
            if counted.recently_unblocked || matches!(decided.decision, Decision::Unblock(_)) {
                unblocks.remove(&decided.account.id);
            }
        }
        plan.tally.blocks.on_its_way = blocks.len() as u64;
        plan.tally.unblocks.on_its_way = unblocks.len() as u64;
    }

    /// Remembers what `plan` may change from now on. Called before its first message is published:
    /// one that was not confirmed may be on its way all the same.
    pub fn remember(&mut self, plan: &Plan, planned_at: Timestamp) {
        let ids = |chosen: fn(Decision) -> bool| -> Vec<AccountId> {
            let of_kind = plan.changes().filter(|decided| chosen(decided.decision));
            of_kind.map(|decided| decided.account.id).collect()
        };
        let run = Run {
            planned_at,
            blocks: ids(|decision| matches!(decision, Decision::Block(_))),
            unblocks: ids(|decision| matches!(decision, Decision::Unblock(_))),
        };
        if !run.blocks.is_empty() || !run.unblocks.is_empty() {
            self.runs.push_back(run);
        }
    }
}
