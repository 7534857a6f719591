//! Under virtual time a day's changes fall into one second of the wall clock.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use simulator::gitlab::SimulatedGitLab;

/// Moves what was `changed` last, `blocked_by` or `unblocked_by`, into a second after the other:
/// GitLab writes whole seconds, and whose block it is cannot be told from two changes of one.
pub fn give_its_own_second(gitlab: &SimulatedGitLab, id: u64, changed: &str) {
    let other = if changed == "blocked_by" {
        "unblocked_by"
    } else {
        "blocked_by"
    };
    let Some(account) = gitlab.account(id) else {
        return;
    };
    let stamp = |key: &str| {
        let text = account.custom_attributes.get(key)?;
        read(text)
    };
    let (Some((who, at)), Some((_, before))) = (stamp(changed), stamp(other)) else {
        return;
    };
    if at <= before {
        let later = before + SignedDuration::from_secs(1);
        let later = format!("{who}+{}", later.strftime("%Y-%m-%d %H:%M:%S UTC"));
        let change = json!({"custom_attributes": {changed: later}});
        gitlab.change_user(id, change).unwrap();
    }
}

/// Who, and when, of `<username>/<id>+<time>`.
fn read(text: &str) -> Option<(&str, Timestamp)> {
    let (who, time) = text.rsplit_once('+')?;
    let time = time.strip_suffix(" UTC")?.replacen(' ', "T", 1);
    Some((who, format!("{time}Z").parse().ok()?))
}
