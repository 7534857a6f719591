//! How GitLab refuses a change: whose fault it is by its own words, and what an operator is told of
//! them.

use serde_json::Value;
use url::Url;

use super::refusal::with_reason;
use crate::{
    gate::ErrorKind,
    upstream::{ClaimedScope, Fault, UpstreamResponse},
};

/// The message of every 500 that is GitLab's own: with its database or Redis gone, or a bug. A 500
/// with another message is about the record that was to be changed (`render_validation_error!` and
/// `bad_request!` of a service's result).
const INTERNAL_ERROR: &str = "500 Internal Server Error";
/// A token that is no administrator's, or lacks Admin Mode.
const BARE_FORBIDDEN: &str = "403 Forbidden";
/// A Geo secondary, or a database that takes no writes
/// (`lib/gitlab/middleware/read_only/controller.rb`).
const READ_ONLY: &str = "You cannot perform write operations on a read-only instance";
/// Of an answer's own words, so many are told.
const LONGEST: usize = 160;

/// The fault that `answer` to a change is, from the GitLab at `base`.
pub(super) fn refused(answer: &UpstreamResponse, base: &Url) -> Fault {
    let told = told(answer);
    let words = told.as_deref().unwrap_or_default();
    let fault = with_reason(answer, answer.fault());
    if fault.whose() == ClaimedScope::Everybody {
        return fault;
    }
    match answer.status.as_u16() {
        503 if told.is_some() && answer.retry_after().is_some() => maintenance(answer, words),
        503 if answer.retry_after().is_some() => fault.of(ClaimedScope::Everybody),
        403 if words == READ_ONLY => maintenance(answer, words),
        301 if leads_to_front_page(answer, base) => Fault::new(
            ErrorKind::Maintenance,
            "sends changes to its front page (status 301), as it does in Maintenance Mode",
        )
        .of(ClaimedScope::Everybody),
        403 if words == BARE_FORBIDDEN => fault.of(ClaimedScope::Everybody),
        403 if told.is_some() => fault.noting(words).of_kind(ErrorKind::Rejected),
        500 if told.is_some() && words != INTERNAL_ERROR => fault
            .noting(words)
            .of_kind(ErrorKind::Rejected)
            .of(ClaimedScope::Subject),
        _ if told.is_some() => fault.noting(words),
        _ => fault,
    }
}

/// Whether the answer's `message` is as expected.
pub(super) fn message_is(answer: &UpstreamResponse, expected: impl Fn(&str) -> bool) -> bool {
    answer.body_as_json::<Value>().is_ok_and(|body| {
        body.get("message")
            .and_then(Value::as_str)
            .is_some_and(|said| expected(said.trim()))
    })
}

fn maintenance(answer: &UpstreamResponse, words: &str) -> Fault {
    Fault::new(
        ErrorKind::Maintenance,
        format!("is in maintenance and says: {words}"),
    )
    .after(answer.retry_after())
    .of(ClaimedScope::Everybody)
}

/// GitLab's front page, where Maintenance Mode sends whoever did not send JSON.
fn leads_to_front_page(answer: &UpstreamResponse, base: &Url) -> bool {
    let location = answer.headers.get("location");
    let target = location.and_then(|to| base.join(to.to_str().ok()?).ok());
    target.is_some_and(|to| {
        to.host_str() == base.host_str()
            && to.path().trim_end_matches('/') == base.path().trim_end_matches('/')
            && to.query().is_none()
    })
}

/// GitLab's own words of an error: `message`, or `error`. One printable line, bounded, without
/// addresses of people.
fn told(answer: &UpstreamResponse) -> Option<String> {
    let body: Value = answer.body_as_json().ok()?;
    let said = ["message", "error"]
        .into_iter()
        .filter_map(|key| body.get(key))
        .find(|said| !said.is_null())?;
    let words = said
        .as_str()
        .map_or_else(|| said.to_string(), str::to_owned);
    Some(one_line(&words)).filter(|words| !words.is_empty())
}

fn one_line(text: &str) -> String {
    let words = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if is_mail(word) { "(address)" } else { word });
    let line: Vec<&str> = words.collect();
    let line = line.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn is_mail(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_one_short_printable_line_without_mail_addresses() {
        let text = "Email x@example.ac.uk\r\n\u{1b}[31mis  taken";
        assert_eq!(one_line(text), "Email (address) [31mis taken");
        assert_eq!(one_line(&"é".repeat(500)).chars().count(), LONGEST + 1);
    }
}
