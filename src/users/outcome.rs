//! What became of a message: one record, the same for the log line, the metric and `sync-outcome`.

use std::time::Instant;

use jiff::Timestamp;

use super::{
    account::Account,
    class::Class,
    plan::Plan,
    policy::{Decision, Facts},
    resolve::Resolution,
};
use crate::messaging::{
    Delivery,
    wire::{OutcomeKind, OutcomeResult, SyncOutcome, UserRequest, Who},
};

/// How a user's message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserSyncResult {
    /// GitLab answered that it made the change, now or at an earlier delivery of the same run.
    Applied,
    /// It was so already when we came to write.
    AlreadySo,
    /// It would have been changed, but for dry run.
    DryRun,
    /// Nothing was to be done.
    Unchanged,
    /// The second look did not confirm the plan; the next tick settles it.
    ChangedSincePlanned,
    /// The plan is too old to be applied, or a later run has been planned; the next tick settles
    /// it.
    PlanLapsed,
    /// GitLab refused because of the account's state.
    StateForbids,
    /// GitLab has no such account.
    Gone,
    /// Another message about the account covers this one, while both wait for an upstream.
    Superseded,
}

impl UserSyncResult {
    /// The result in records.
    pub const fn result(self) -> OutcomeResult {
        match self {
            Self::Applied => OutcomeResult::Applied,
            Self::AlreadySo => OutcomeResult::AlreadySo,
            Self::DryRun => OutcomeResult::DryRun,
            Self::Unchanged => OutcomeResult::Unchanged,
            Self::ChangedSincePlanned | Self::PlanLapsed => OutcomeResult::ChangedSincePlanned,
            Self::StateForbids => OutcomeResult::StateForbids,
            Self::Gone => OutcomeResult::Gone,
            Self::Superseded => OutcomeResult::Superseded,
        }
    }

    /// The reason in records, where it is not the decision's own.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::PlanLapsed => Some("plan_lapsed"),
            Self::Applied
            | Self::AlreadySo
            | Self::DryRun
            | Self::Unchanged
            | Self::ChangedSincePlanned
            | Self::StateForbids
            | Self::Gone
            | Self::Superseded => None,
        }
    }
}

/// Builds the record of one message.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    record: SyncOutcome,
}

impl Recorder {
    /// Starts the record of `delivery`; the time until it ends is measured.
    pub fn start(delivery: &Delivery) -> Self {
        let record = SyncOutcome {
            run: Some(delivery.run().to_owned()),
            message_id: Some(delivery.message_id.clone()),
            delivery_attempt: delivery.delivery_attempt,
            ..SyncOutcome::default()
        };
        Self {
            started: Instant::now(),
            record,
        }
    }

    /// Adds what the message asks for.
    pub fn request(&mut self, request: &UserRequest) {
        self.record.cause = Some(request.cause.as_str().to_owned());
        match &request.who {
            Who::Account(id) => self.record.gitlab_user_id = Some(*id),
            Who::Username(username) => self.record.username = Some(username.clone()),
            Who::Person(crsid) => self.record.crsid = Some(crsid.to_string()),
        }
    }

    /// Adds which account it is, where it is one.
    pub fn resolution(&mut self, resolution: &Resolution) {
        match resolution {
            Resolution::One(id) | Resolution::NotHuman(id) => {
                self.record.gitlab_user_id = Some(id.0);
            }
            Resolution::Nobody | Resolution::Several(_) => {}
        }
    }

    /// Adds what was read of the account.
    pub fn account(&mut self, account: &Account, facts: &Facts) {
        self.record.gitlab_user_id = Some(account.id.0);
        self.record.username = Some(account.username.clone());
        self.class(&facts.class);
    }

    fn class(&mut self, class: &Class) {
        self.record.class = Some(class.as_str().to_owned());
        self.record.crsid = class.crsid().map(ToString::to_string);
    }

    /// The record so far, for what the caller knows.
    pub fn fields(&mut self) -> &mut SyncOutcome {
        &mut self.record
    }

    /// The record of a message that did not come to an end of its own.
    pub fn unfinished(self) -> SyncOutcome {
        self.record
    }

    /// Ends the record of one user.
    pub fn user(
        mut self,
        decision: Option<Decision>,
        end: UserSyncResult,
        calls: u32,
    ) -> Box<SyncOutcome> {
        self.record.kind = Some(OutcomeKind::User.as_str().to_owned());
        self.record.decision = decision.map(|decision| decision.action().to_owned());
        let by_decision = decision.map(Decision::reason);
        self.record.reason = end.reason().or(by_decision).map(str::to_owned);
        self.record.result = Some(end.result().as_str().to_owned());
        self.record.calls = Some(calls);
        self.finish()
    }

    /// Ends the record of one run.
    pub fn run(mut self, kind: OutcomeKind, plan: Option<&Plan>) -> Box<SyncOutcome> {
        self.record.kind = Some(kind.as_str().to_owned());
        if let Some(plan) = plan {
            self.record.accounts = Some(plan.accounts as u64);
            self.record.blocks = Some(plan.tally.blocks.now);
            self.record.unblocks = Some(plan.tally.unblocks.now);
            self.record.keeps = Some(plan.kept());
            let some = |count: usize| Some(count as u64).filter(|count| *count > 0);
            self.record.unreadable_accounts = some(plan.unreadable.len());
            self.record.unreadable_people = some(plan.unreadable_people.len());
        }
        self.finish()
    }

    fn finish(mut self) -> Box<SyncOutcome> {
        self.record.at = Some(Timestamp::now().to_string());
        self.record.milliseconds = self.started.elapsed().as_millis().try_into().ok();
        Box::new(self.record)
    }
}
