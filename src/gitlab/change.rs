//! The result of a block or an unblock, read from GitLab's response.

use super::blame::{message_is, refused};
use crate::{
    gate::{Completion, ErrorKind},
    upstream::{ClaimedScope, Fault, UpstreamResponse},
};
use url::Url;

/// How GitLab answered a state-changing call, judged by the body and never by the status alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Body `true`: GitLab changed the account's state. It proves no state: two blocks at one
    /// moment are both answered so, and a block beside a ban is, whose account is banned.
    Made,
    /// Body `null`: it was so already; somebody else was first.
    AlreadySo,
    /// 403 with a reason that names the account's state.
    StateForbids(String),
    /// GitLab's own JSON `404 User Not Found`.
    Gone,
}

/// The reasons for which GitLab refuses to block or unblock an account as it is
/// (`lib/api/users.rb`, `app/services/users/block_service.rb`). Any other 403 is about the token.
const STATE_REASONS: [&str; 5] = [
    "LDAP blocked users cannot be modified by the API",
    "LDAP blocked users cannot be unblocked by the API",
    "Deactivated users cannot be unblocked by the API",
    "The API initiating user cannot be blocked by the API",
    "An internal user cannot be blocked",
];

/// Reads the answer to `POST /users/:id/block` and `…/unblock`.
pub(super) fn change(answer: &UpstreamResponse, base: &Url) -> Result<Change, Fault> {
    if answer.status.is_success() {
        return match answer.body.trim_ascii() {
            b"true" => Ok(Change::Made),
            b"null" => Ok(Change::AlreadySo),
            // A record that does not validate, or a state that cannot be left so: this account's,
            // and not said why.
            b"false" => {
                Err(Fault::new(ErrorKind::Rejected, "answered false").of(ClaimedScope::Subject))
            }
            _ => Err(Fault::new(
                ErrorKind::Unreadable,
                format!(
                    "answered {} with a body other than true, false and null",
                    answer.status.as_u16()
                ),
            )),
        };
    }
    if is_user_not_found(answer) {
        return Ok(Change::Gone);
    }
    match state_reason(answer) {
        Some(reason) => Ok(Change::StateForbids(reason.to_owned())),
        None => Err(refused(answer, base)),
    }
}

/// Whether the account does not exist. A 404 of any other form comes from a proxy or from a wrong
/// address.
pub(super) fn is_user_not_found(answer: &UpstreamResponse) -> bool {
    answer.status.as_u16() == 404 && message_is(answer, |message| message == "404 User Not Found")
}

/// The same of a call on an account's custom attributes, where GitLab spells it `404 Not Found`; a
/// key that is not there is `404 Not found`.
pub(super) fn is_owner_not_found(answer: &UpstreamResponse) -> bool {
    is_user_not_found(answer)
        || answer.status.as_u16() == 404 && message_is(answer, |message| message == "404 Not Found")
}

fn state_reason(answer: &UpstreamResponse) -> Option<&'static str> {
    let told = |message: &str, reason: &str| {
        message == reason || message.strip_prefix("403 Forbidden - ") == Some(reason)
    };
    (answer.status.as_u16() == 403)
        .then(|| {
            STATE_REASONS
                .into_iter()
                .find(|reason| message_is(answer, |message| told(message, reason)))
        })
        .flatten()
}

impl Change {
    /// How much it tells of what others can expect.
    pub(super) const fn completion(&self) -> Completion {
        match self {
            Self::Made => Completion::Whole,
            Self::AlreadySo | Self::StateForbids(_) | Self::Gone => Completion::Judged,
        }
    }
}
