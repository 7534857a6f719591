//! What each action does in each state: GitLab's table (`lib/api/users.rb`,
//! `app/services/users/*.rb`), statuses and bodies included.

use serde::{Deserialize, Serialize};

use super::{account::SimulatedUser, kinds::UserState};

/// A state-changing call, `POST /users/:id/<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are GitLab's own")]
pub enum Action {
    Block,
    Unblock,
    Deactivate,
    Activate,
    Ban,
    Unban,
}

/// How it ends. Only [`Verdict::Becomes`] changes anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransitionResult {
    /// 201 `true`.
    Becomes(UserState),
    /// 201 `true`, though nothing changes.
    StaysTrue,
    /// 201 `null`: somebody was first.
    StaysNull,
    /// 201 `false`.
    StaysFalse,
    /// 403 with this message.
    Forbidden(String),
    /// 500 with what the account's validations say.
    Invalid(String),
    /// What GitLab answers is not known.
    NotRecorded(&'static str),
}

/// How long an account must have been quiet before it can be deactivated
/// (`deactivate_dormant_users_period`).
pub(super) const DORMANT_DAYS: i32 = 90;

impl Action {
    /// The action with this name in the path.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "block" => Self::Block,
            "unblock" => Self::Unblock,
            "deactivate" => Self::Deactivate,
            "activate" => Self::Activate,
            "ban" => Self::Ban,
            "unban" => Self::Unban,
            _ => return None,
        })
    }

    /// What becomes of `account`. `own`: it is the caller's. `dormant`: it was quiet for
    /// [`DORMANT_DAYS`].
    pub(super) fn verdict(
        self,
        account: &SimulatedUser,
        own: bool,
        dormant: bool,
    ) -> TransitionResult {
        let verdict = match self {
            Self::Block => block(account, own),
            Self::Unblock => unblock(&account.state),
            Self::Deactivate => deactivate(account, dormant),
            Self::Activate => activate(&account.state),
            Self::Ban => ban(&account.state),
            Self::Unban => unban(&account.state),
        };
        match (&verdict, account.invalid()) {
            (TransitionResult::Becomes(_), Some(reason)) => self.unsaved(reason),
            _ => verdict,
        }
    }

    /// How it ends where GitLab cannot save the account.
    fn unsaved(self, reason: &str) -> TransitionResult {
        match self {
            Self::Block => TransitionResult::Invalid(reason.to_owned()),
            Self::Unblock => TransitionResult::StaysFalse,
            Self::Deactivate | Self::Activate | Self::Ban | Self::Unban => {
                TransitionResult::NotRecorded("an account that does not validate")
            }
        }
    }
}

fn block(account: &SimulatedUser, own: bool) -> TransitionResult {
    let internal = account.kind.is_internal();
    match &account.state {
        UserState::LdapBlocked => {
            forbidden("403 Forbidden - LDAP blocked users cannot be modified by the API")
        }
        _ if own => {
            forbidden("403 Forbidden - The API initiating user cannot be blocked by the API")
        }
        UserState::Blocked | UserState::Banned | UserState::BlockedPendingApproval => {
            TransitionResult::StaysNull
        }
        UserState::Active | UserState::Deactivated if internal => {
            forbidden("An internal user cannot be blocked")
        }
        UserState::Active | UserState::Deactivated => TransitionResult::Becomes(UserState::Blocked),
        UserState::Other(state) => {
            forbidden(&format!("Cannot transition user via :block from :{state}"))
        }
    }
}

fn unblock(state: &UserState) -> TransitionResult {
    match state {
        UserState::LdapBlocked => {
            forbidden("403 Forbidden - LDAP blocked users cannot be unblocked by the API")
        }
        UserState::Deactivated => {
            forbidden("403 Forbidden - Deactivated users cannot be unblocked by the API")
        }
        UserState::Active => TransitionResult::StaysFalse,
        // The trap: this lifts a ban and approves a sign-up without a word.
        UserState::Blocked | UserState::Banned | UserState::BlockedPendingApproval => {
            TransitionResult::Becomes(UserState::Active)
        }
        UserState::Other(state) => forbidden(&format!(
            "Cannot transition user via :activate from :{state}"
        )),
    }
}

fn deactivate(account: &SimulatedUser, dormant: bool) -> TransitionResult {
    let internal = account.kind.is_internal();
    match &account.state {
        UserState::Deactivated => TransitionResult::StaysNull,
        state if state.is_some_block() => {
            forbidden("Error occurred. A blocked user cannot be deactivated")
        }
        _ if internal => forbidden("Internal users cannot be deactivated"),
        _ if !dormant => forbidden(&format!(
            "The user you are trying to deactivate has been active in the past {DORMANT_DAYS} days and cannot be deactivated"
        )),
        _ => TransitionResult::Becomes(UserState::Deactivated),
    }
}

fn activate(state: &UserState) -> TransitionResult {
    match state {
        UserState::Active => TransitionResult::StaysTrue,
        UserState::Deactivated => TransitionResult::Becomes(UserState::Active),
        UserState::Blocked
        | UserState::LdapBlocked
        | UserState::Banned
        | UserState::BlockedPendingApproval
        | UserState::Other(_) => {
            forbidden("Error occurred. A blocked user must be unblocked to be activated")
        }
    }
}

/// An administrator may ban everybody, GitLab's internal accounts and themselves among them.
fn ban(state: &UserState) -> TransitionResult {
    match state {
        UserState::Active => TransitionResult::Becomes(UserState::Banned),
        UserState::Blocked => forbidden("You cannot ban blocked users."),
        UserState::LdapBlocked => forbidden("You cannot ban ldap_blocked users."),
        UserState::Deactivated => forbidden("You cannot ban deactivated users."),
        UserState::Banned => forbidden("You cannot ban banned users."),
        UserState::BlockedPendingApproval => {
            forbidden("You cannot ban blocked_pending_approval users.")
        }
        UserState::Other(state) => forbidden(&format!("You cannot ban {state} users.")),
    }
}

fn unban(state: &UserState) -> TransitionResult {
    match state {
        UserState::Banned => TransitionResult::Becomes(UserState::Active),
        UserState::Active => forbidden("You cannot unban active users."),
        UserState::Blocked => forbidden("You cannot unban blocked users."),
        UserState::LdapBlocked => forbidden("You cannot unban ldap_blocked users."),
        UserState::Deactivated => forbidden("You cannot unban deactivated users."),
        UserState::BlockedPendingApproval => {
            forbidden("You cannot unban blocked_pending_approval users.")
        }
        UserState::Other(state) => forbidden(&format!("You cannot unban {state} users.")),
    }
}

fn forbidden(message: &str) -> TransitionResult {
    TransitionResult::Forbidden(message.to_owned())
}
