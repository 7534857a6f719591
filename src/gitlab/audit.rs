//! `GET /audit_events`: who changed accounts' states, and when. GitLab has them with a licence
//! (Premium) alone; without one it answers 403 (recorded on GitLab 18.9).

use jiff::Timestamp;
use serde_json::Value;

use super::{Client, client::FULL, page::next_cursor};
use crate::upstream::{CallError, Fault, UpstreamRequest, UpstreamResponse};

/// Which events are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditScope {
    /// Those about this account; of all where there is none.
    pub account: Option<u64>,
    /// Those from then on.
    pub since: Option<Timestamp>,
}

/// What was done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// `user_blocked`
    Blocked,
    /// `user_blocked_by_…`: LDAP, SAML or SCIM did it.
    BlockedByProvider,
    /// `unblock_user`
    Unblocked,
    /// `ban_user`
    Banned,
    /// `unban_user`
    Unbanned,
}

/// A change of an account's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// What was done.
    pub action: AuditAction,
    /// The account's id.
    pub account: u64,
    /// Its username then; empty where GitLab does not tell.
    pub username: String,
    /// The id of who did it, if it was an account.
    pub author: Option<u64>,
    /// When, to the millisecond.
    pub at: Timestamp,
}

/// GitLab's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditAnswer {
    /// This GitLab has no audit events for this token; with the status of its answer.
    Unavailable(u16),
    /// Some events.
    Page(AuditPage),
}

/// Some events, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// The changes of accounts' states among them.
    pub events: Vec<AuditEvent>,
    /// How many say of a change too little to be used.
    pub unreadable: usize,
    /// Where it goes on.
    pub next: Option<String>,
}

impl Client {
    /// A page of the events of `scope`; the first where no cursor is given.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn audit_events(
        &self,
        scope: AuditScope,
        cursor: Option<&str>,
    ) -> Result<AuditAnswer, CallError> {
        let size = FULL.to_string();
        let account = scope.account.map(|id| id.to_string());
        let second = |since: Timestamp| since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let since = scope.since.map(second);
        let mut query = vec![
            ("entity_type", "User"),
            ("pagination", "keyset"),
            ("per_page", size.as_str()),
        ];
        query.extend(account.as_deref().map(|id| ("entity_id", id)));
        query.extend(since.as_deref().map(|since| ("created_after", since)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let call = UpstreamRequest::get("audit_events", self.url(&["audit_events"], &query));
        let judge = |answer: &UpstreamResponse| match answer.status.as_u16() {
            status @ (403 | 404) if answer.is_json() => Ok(AuditAnswer::Unavailable(status)),
            _ => page(answer, scope, cursor).map(AuditAnswer::Page),
        };
        self.patient().read(&call, judge).await
    }
}

fn page(
    answer: &UpstreamResponse,
    scope: AuditScope,
    cursor: Option<&str>,
) -> Result<AuditPage, Fault> {
    let rows: Vec<Value> = answer.json()?;
    // A page that leads to itself would never end.
    let next = next_cursor(&answer.headers)?.filter(|next| Some(next.as_str()) != cursor);
    let mut page = AuditPage {
        events: Vec::new(),
        unreadable: 0,
        next: next.filter(|_| !rows.is_empty()),
    };
    for row in &rows {
        match event(row) {
            // The filters are GitLab's to apply, and checked.
            AuditRow::Change(event) if scope.admits(&event) => page.events.push(event),
            AuditRow::Change(_) | AuditRow::Other => {}
            AuditRow::Unreadable => page.unreadable += 1,
        }
    }
    Ok(page)
}

impl AuditScope {
    fn admits(&self, event: &AuditEvent) -> bool {
        self.account.is_none_or(|id| event.account == id)
            && self.since.is_none_or(|since| event.at >= since)
    }
}

/// What one row tells.
enum AuditRow {
    Change(AuditEvent),
    /// Of something else.
    Other,
    /// Of a change, and not enough of it; or it does not say of what.
    Unreadable,
}

fn event(row: &Value) -> AuditRow {
    let Some(name) = row.get("event_name").and_then(Value::as_str) else {
        return AuditRow::Unreadable;
    };
    let Some(action) = AuditAction::named(name) else {
        return AuditRow::Other;
    };
    if row.get("entity_type").and_then(Value::as_str) != Some("User") {
        return AuditRow::Other;
    }
    change(row, action).map_or(AuditRow::Unreadable, AuditRow::Change)
}

fn change(row: &Value, action: AuditAction) -> Option<AuditEvent> {
    let at = row.get("created_at")?.as_str()?.parse().ok()?;
    // Negative where it was no account: `lib/gitlab/audit/null_author.rb`.
    let author = row.get("author_id")?.as_i64()?;
    let details = row.get("details");
    let username = details.and_then(|details| details.get("entity_path")?.as_str());
    Some(AuditEvent {
        action,
        account: row.get("entity_id")?.as_u64().filter(|id| *id > 0)?,
        username: username.unwrap_or_default().to_owned(),
        author: u64::try_from(author).ok().filter(|id| *id > 0),
        at,
    })
}

impl AuditAction {
    /// The action that GitLab calls `name` (`config/audit_events/types/`). `user_blocked` and
    /// `unblock_user` are recorded, the others inferred; one that is called otherwise is not told.
    fn named(name: &str) -> Option<Self> {
        match name {
            "user_blocked" => Some(Self::Blocked),
            "unblock_user" => Some(Self::Unblocked),
            "ban_user" => Some(Self::Banned),
            "unban_user" => Some(Self::Unbanned),
            _ => name
                .starts_with("user_blocked_by_")
                .then_some(Self::BlockedByProvider),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// A row as it was recorded, with one key of it set anew.
    fn row(key: &str, value: Value) -> Value {
        let mut row = json!({
            "id": 56,
            "author_id": 1,
            "entity_id": 30054,
            "entity_type": "User",
            "event_name": "user_blocked",
            "details": {"author_name": "Administrator", "entity_path": "aur1"},
            "created_at": "2026-11-28T15:47:35.636Z",
        });
        row[key] = value;
        row
    }

    fn read(row: &Value) -> Result<AuditEvent, &'static str> {
        match event(row) {
            AuditRow::Change(event) => Ok(event),
            AuditRow::Other => Err("other"),
            AuditRow::Unreadable => Err("unreadable"),
        }
    }

    #[test]
    fn a_recorded_event_is_read_to_the_millisecond() {
        let event = read(&row("id", json!(56))).unwrap();
        assert_eq!(
            (event.action, event.account, event.author),
            (AuditAction::Blocked, 30054, Some(1))
        );
        assert_eq!(event.username, "aur1");
        assert_eq!(event.at.to_string(), "2026-11-28T15:47:35.636Z");
    }

    #[rstest]
    #[case("created_at", json!("yesterday"), "unreadable")]
    #[case("created_at", json!(1), "unreadable")]
    #[case("entity_id", json!(null), "unreadable")]
    #[case("entity_id", json!(-1), "unreadable")]
    #[case("author_id", json!("root"), "unreadable")]
    #[case("event_name", json!(null), "unreadable")]
    #[case("event_name", json!("user_signup"), "other")]
    #[case("entity_type", json!("Group"), "other")]
    fn what_an_event_does_not_say_is_not_guessed(
        #[case] key: &str,
        #[case] value: Value,
        #[case] expected: &str,
    ) {
        assert_eq!(read(&row(key, value)), Err(expected));
    }

    #[rstest]
    #[case("author_id", json!(-1), AuditAction::Blocked)]
    #[case("details", json!([]), AuditAction::Blocked)]
    #[case("event_name", json!("user_blocked_by_ldap_sync"), AuditAction::BlockedByProvider)]
    #[case("event_name", json!("unban_user"), AuditAction::Unbanned)]
    fn what_may_be_missing_may_be_missing(
        #[case] key: &str,
        #[case] value: Value,
        #[case] expected: AuditAction,
    ) {
        assert_eq!(
            read(&row(key, value)).map(|event| event.action),
            Ok(expected)
        );
    }

    #[test]
    fn a_row_that_is_no_object_is_counted() {
        for row in [json!(null), json!(1), json!([]), json!("x")] {
            assert_eq!(read(&row), Err("unreadable"));
        }
    }
}
