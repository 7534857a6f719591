//! What GitLab knows of an account and no row of its API shows, though it decides what the API
//! answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{account::SimulatedUser, kinds::UserState, states::Action};

/// Changed with `PUT /simulate/users/{id}` `{"hidden": {…}}`; what is left out there stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hidden {
    /// The personal namespace is gone. Every page that holds the account, and the account itself,
    /// are a 500 for an administrator; a block is a 500 with a text of its own, an unblock answers
    /// `false`.
    pub without_namespace: bool,
    /// What GitLab's validations say of old data, such as `Name can't be blank`. A block is a 500
    /// with this text, an unblock answers `false`, `PUT /users/:id` is a 400. A row without a name
    /// is invalid without being told so.
    pub invalid: Option<String>,
    /// How far a deletion has come; it is done when the account is deleted with
    /// `DELETE /simulate/users/{id}`.
    pub deletion: Option<Deletion>,
    /// The owner has to choose a new password, and the tokens are refused until then.
    pub password_expired: bool,
    /// With a number, an identity provider makes the account active through SCIM so many
    /// milliseconds after each block.
    pub scim_restores_after_ms: Option<u64>,
    /// The next change of state through the API that takes effect meets this one at the same
    /// moment: both answer `true`, both leave their traces, and the state is the one that this
    /// leads to. It happens once.
    pub meets: Option<Action>,
}

/// A deletion that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// Waiting for the background worker; the account is as it was.
    Requested,
    /// The worker has begun: the account was blocked without a trace. An unblock makes it active
    /// all the same.
    UnderWay,
}

impl SimulatedUser {
    /// Why GitLab cannot save the account, in the words of its validations.
    pub(super) fn invalid(&self) -> Option<&str> {
        if self.hidden.without_namespace {
            return Some("Namespace can't be blank");
        }
        let nameless = self
            .others
            .get("name")
            .is_some_and(|name| name.is_null() || name == "");
        self.hidden
            .invalid
            .as_deref()
            .or(nameless.then_some("Name can't be blank"))
    }

    /// Begins or ends the deletion.
    pub(super) fn set_deletion(&mut self, deletion: Option<Deletion>) {
        self.hidden.deletion = deletion;
        match deletion {
            Some(Deletion::UnderWay) => self.state = UserState::Blocked,
            Some(Deletion::Requested) | None => {}
        }
    }

    /// What SCIM's `active` does, silently: no `blocked_by`, no `unblocked_by`. True lifts every
    /// kind of block, false blocks an active account and leaves one that is blocked as it is.
    pub(crate) fn set_by_scim(&mut self, active: bool) {
        match &self.state {
            UserState::Active if !active => self.state = UserState::LdapBlocked,
            state if active && state.is_some_block() => self.state = UserState::Active,
            UserState::Active
            | UserState::Blocked
            | UserState::LdapBlocked
            | UserState::Deactivated
            | UserState::Banned
            | UserState::BlockedPendingApproval
            | UserState::Other(_) => {}
        }
        let known = self.others.get("scim_identities").and_then(Value::as_array);
        let extern_uid = known
            .and_then(|identities| identities.first()?.get("extern_uid").cloned())
            .unwrap_or_else(|| json!(self.username));
        let identity = json!([{"extern_uid": extern_uid, "group_id": null, "active": active}]);
        self.others.insert("scim_identities".to_owned(), identity);
    }
}
