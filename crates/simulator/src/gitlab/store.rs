//! Everything the simulated GitLab knows, and the effects of what is asked of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{
    account::SimulatedUser,
    activity::Activity,
    audit::RecordedChange,
    kinds::UserState,
    settings::Conditions,
    states::{Action, DORMANT_DAYS, TransitionResult},
    throttle::ThrottleCounters,
    tokens::TokenStore,
};

/// The accounts and tokens of one server.
#[derive(Debug)]
pub(super) struct GitLabStore {
    pub(super) accounts: BTreeMap<u64, SimulatedUser>,
    pub(super) tokens: TokenStore,
    pub(super) conditions: Conditions,
    pub(super) counts: ThrottleCounters,
    pub(super) activity: Activity,
    /// Where accounts came from, as far as that is bounded.
    pub(super) addresses: BTreeMap<u64, Vec<String>>,
    /// Accounts that an identity provider will make active again, and when.
    pub(super) restorations: Vec<(Timestamp, u64)>,
    /// What people and programs did to accounts' states, the oldest first.
    pub(super) changes: Vec<RecordedChange>,
}

/// Who changed a state, as `blocked_by` and `unblocked_by` name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Actor {
    pub(super) id: u64,
    pub(super) username: String,
}

impl Actor {
    /// GitLab's `<username>/<user id>+<time>` (`app/models/user_custom_attribute.rb`), to the
    /// second.
    pub(super) fn stamp(&self, now: Timestamp) -> String {
        format!(
            "{}/{}+{}",
            self.username,
            self.id,
            now.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

impl GitLabStore {
    /// What GitLab makes of `action` on an account that is there; `None` if it is not.
    pub(super) fn verdict(
        &self,
        action: Action,
        id: u64,
        caller: u64,
        now: Timestamp,
    ) -> Option<TransitionResult> {
        let account = self.accounts.get(&id)?;
        Some(action.verdict(account, id == caller, self.is_dormant(account, now)))
    }

    /// Carries out what was seen before, whatever has become of the account since.
    pub(super) fn carry_out(
        &mut self,
        action: Action,
        id: u64,
        caller: u64,
        verdict: &TransitionResult,
        now: Timestamp,
    ) {
        let TransitionResult::Becomes(state) = verdict else {
            return;
        };
        let (actor, other) = (self.actor(caller), self.another_administrator(caller));
        let dormant = self
            .accounts
            .get(&id)
            .is_some_and(|account| self.is_dormant(account, now));
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        let met = account.hidden.meets.take();
        let met = met.map(|met| (met, met.verdict(account, false, dormant)));
        account.state = state.clone();
        account.stamp(action, &actor, now);
        let met = met.and_then(|(met, verdict)| match verdict {
            TransitionResult::Becomes(state) => Some((met, state)),
            _ => None,
        });
        if let Some((met, state)) = &met {
            account.state = state.clone();
            account.stamp(*met, &other, now);
        }
        if let (Action::Block, Some(after)) = (action, account.hidden.scim_restores_after_ms) {
            let after = SignedDuration::from_millis(i64::try_from(after).unwrap_or(i64::MAX));
            let due = now.saturating_add(after).unwrap_or(Timestamp::MAX);
            self.restorations.push((due, id));
        }
        self.audit(action, id, &actor, now);
        if let Some((met, _)) = met {
            self.audit(met, id, &other, now);
        }
        self.activity.touch(id, now);
    }

    /// Whether it may be deactivated.
    fn is_dormant(&self, account: &SimulatedUser, now: Timestamp) -> bool {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let seen = self.activity.seen_on(account.id);
        seen.is_none_or(|day| (today - day).get_days() >= DORMANT_DAYS)
            && quiet_for(account, DORMANT_DAYS, today)
    }

    /// Switches the whole server, and counts anew.
    pub(super) fn set_conditions(&mut self, conditions: Conditions) {
        self.counts = ThrottleCounters::new(&conditions);
        self.conditions = conditions;
    }

    /// Does what identity providers have done until `now`.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        let due: Vec<u64> = self
            .restorations
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, id)| id)
            .collect();
        for id in due {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.set_by_scim(true);
                self.activity.touch(id, now);
            }
        }
    }

    /// The account as an actor; one that is gone has no name.
    pub(super) fn actor(&self, id: u64) -> Actor {
        let username = self
            .accounts
            .get(&id)
            .map(|account| account.username.clone())
            .unwrap_or_default();
        Actor { id, username }
    }

    /// The lowest administrator other than `owner`: who a change by hand is put down to.
    pub(super) fn another_administrator(&self, owner: u64) -> Actor {
        let other = self
            .accounts
            .values()
            .find(|account| account.is_admin && account.id != owner);
        match other {
            Some(account) => Actor {
                id: account.id,
                username: account.username.clone(),
            },
            None => Actor {
                id: 0,
                username: "root".to_owned(),
            },
        }
    }
}

impl SimulatedUser {
    /// Writes who blocked or unblocked it. The other actions leave no trace of this kind.
    fn stamp(&mut self, action: Action, actor: &Actor, now: Timestamp) {
        let key = match action {
            Action::Block => "blocked_by",
            Action::Unblock => "unblocked_by",
            Action::Deactivate | Action::Activate | Action::Ban | Action::Unban => return,
        };
        self.custom_attributes
            .upsert(key.to_owned(), actor.stamp(now));
    }

    /// Puts a person's change of state on record, as the administrators' pages do; which one it
    /// was.
    pub(super) fn stamp_change(
        &mut self,
        before: &UserState,
        actor: &Actor,
        now: Timestamp,
    ) -> Option<Action> {
        let action = match (before, &self.state) {
            (before, after) if before == after => return None,
            (_, UserState::Blocked) => Action::Block,
            (UserState::Blocked, UserState::Active) => Action::Unblock,
            (_, UserState::Banned) => Action::Ban,
            (UserState::Banned, UserState::Active) => Action::Unban,
            (_, UserState::Deactivated) => Action::Deactivate,
            (UserState::Deactivated, UserState::Active) => Action::Activate,
            _ => return None,
        };
        self.stamp(action, actor, now);
        Some(action)
    }
}

/// Whether the latest of `last_activity_on` and `current_sign_in_at` is so many days ago, or never
/// was.
fn quiet_for(account: &SimulatedUser, days: i32, today: Date) -> bool {
    let last = ["last_activity_on", "current_sign_in_at"]
        .into_iter()
        .filter_map(|key| account.others.get(key).and_then(Value::as_str))
        .filter_map(|text| text.get(..10).and_then(|day| day.parse::<Date>().ok()))
        .max();
    last.is_none_or(|day| (today - day).get_days() >= days)
}
