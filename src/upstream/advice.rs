//! What an operator does about a failure of each kind.

use super::UpstreamSettings;
use crate::gate::ErrorKind;

/// The advice for `kind`, which names the settings to look at.
pub(super) fn advice(kind: ErrorKind, settings: &UpstreamSettings) -> String {
    let UpstreamSettings {
        url,
        credentials,
        rights,
        authority: _,
    } = settings;
    match kind {
        ErrorKind::BadRequest => "the call itself is wrong; repeating it does not help".to_owned(),
        ErrorKind::Unauthenticated => {
            format!("check {credentials}: mistyped, expired or revoked?")
        }
        ErrorKind::Forbidden => format!("check {credentials}: it needs {rights}"),
        ErrorKind::Throttled => "wait, or lower requests_per_minute".to_owned(),
        ErrorKind::TimedOut => "is it overloaded, or is the timeout too short?".to_owned(),
        ErrorKind::Unreachable => format!("is {url} right, and can this machine reach it?"),
        ErrorKind::ServerError | ErrorKind::Unavailable => {
            "it is down, overloaded or in maintenance: wait, or ask those who run it".to_owned()
        }
        ErrorKind::Maintenance => {
            "wait: changes go on by themselves once its administrators end it".to_owned()
        }
        ErrorKind::Rejected => {
            "an administrator sees in the Admin area what is wrong with this one".to_owned()
        }
        ErrorKind::Redirected => {
            format!("is {url} right, and is there no login page in front of it?")
        }
        ErrorKind::UnexpectedStatus => format!("is {url} right, and is this a supported version?"),
        ErrorKind::Unreadable => format!("is {url} right, or is it in maintenance?"),
        ErrorKind::Inconsistent => {
            "does something in front of it remove or change the headers of its answers?".to_owned()
        }
        ErrorKind::TooLarge => format!("is {url} right, or is max_response_bytes too small?"),
        ErrorKind::Paused => "nothing was sent, and it is done once writes go on".to_owned(),
        ErrorKind::ControlsWrong => format!(
            "may {credentials} still see everything? Or correct directory.controls, if that is what is wrong: nothing is decided meanwhile"
        ),
        ErrorKind::ClockSkew => {
            "set the clock that is wrong: nothing is decided while they are more than five minutes apart"
                .to_owned()
        }
    }
}
