//! Who asks and why, as it goes into a message.

use super::failure::CommandFailure;
use crate::{app::context::ProcessContext, messaging::wire::OneLine};

/// Who is at the keyboard, for `requested_by`.
///
/// # Errors
/// A name that no message can carry.
pub fn requester(context: &ProcessContext) -> Result<Option<String>, CommandFailure> {
    let set = |name| Some((name, context.environment().get(name)?));
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| set(name).filter(|(_, user)| !user.is_empty()));
    match user {
        Some((name, user)) if !OneLine::NOTE.admits(user) => Err(CommandFailure::usage(format!(
            "{name} names the requester and must be {}: correct it, or unset it",
            OneLine::NOTE
        ))),
        user => Ok(user.map(|(_, user)| user.to_owned())),
    }
}

/// A reason, as it goes into a message.
pub fn reason(text: &str) -> Result<String, String> {
    if OneLine::NOTE.admits(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a reason is {}", OneLine::NOTE))
    }
}
