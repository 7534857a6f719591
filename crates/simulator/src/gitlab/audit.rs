//! The changes of accounts' states, by whom and when, and `GET /audit_events`, which tells of them
//! where GitLab has a licence (recorded on GitLab 18.9: names, order, cursor and the refusal).

use axum::{
    http::{HeaderValue, StatusCode, header::LINK},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE as URL_SAFE};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    answers,
    authorization::RequiredScope,
    json::respond,
    pages::ListingError,
    reads::ApiResult,
    request::ApiRequest,
    states::Action,
    store::{Actor, GitLabStore},
};

/// Rows on a page that nobody asked for otherwise.
const USUAL: usize = 20;

/// A change of an account's state that somebody made through GitLab. What identity providers do is
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// Its number, from 1.
    pub id: u64,
    /// When, to the microsecond; answers show milliseconds.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// The account.
    pub account: u64,
    /// Its username then.
    pub username: String,
    /// The id of who did it.
    pub by: u64,
    /// Their username then.
    pub by_username: String,
}

impl GitLabStore {
    /// Writes down that `actor` did `action` to an account.
    pub(super) fn audit(&mut self, action: Action, account: u64, actor: &Actor, at: Timestamp) {
        let username = self.actor(account).username;
        self.changes.push(RecordedChange {
            id: self.changes.len() as u64 + 1,
            at,
            action,
            account,
            username,
            by: actor.id,
            by_username: actor.username.clone(),
        });
    }
}

/// `GET /audit_events`: newest first, by cursor.
pub(super) fn events(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    let caller = store
        .enter(call, RequiredScope::ToRead, url, now)?
        .ok_or_else(answers::unauthorized)?;
    if !caller.admin || !store.conditions.audit_events {
        return Err(answers::forbidden().into());
    }
    let asked = &call.parameters;
    let after = asked.time("created_after");
    let after = after.map_err(|invalid| ListingError::from(invalid).into_response())?;
    let number = |name| asked.get(name).and_then(|text| text.parse::<u64>().ok());
    let entity = number("entity_id");
    let before = asked.get("cursor").map(cursor).transpose()?;
    let size = number("per_page").and_then(|size| usize::try_from(size).ok());
    let size = size.unwrap_or(USUAL);
    let mut events = store.changes.iter().rev().filter(|change| {
        entity.is_none_or(|id| change.account == id)
            && before.is_none_or(|id| change.id < id)
            && after.is_none_or(|after| change.at >= after)
    });
    let page: Vec<&RecordedChange> = events.by_ref().take(size).collect();
    let more = events.next().is_some();
    let rows: Vec<Value> = page.iter().copied().filter_map(row).collect();
    let mut response = respond(StatusCode::OK, &rows);
    if let (true, Some(last)) = (more, page.last()) {
        lead(&mut response, url, call, last.id);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct AuditPosition {
    id: u64,
}

fn cursor(text: &str) -> Result<u64, Box<Response>> {
    let broken = || Box::new(answers::internal_error());
    let bytes = URL_SAFE.decode(text).map_err(|_| broken())?;
    let position: AuditPosition = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    Ok(position.id)
}

/// The `Link` to what is before event `last`.
fn lead(response: &mut Response, url: &str, call: &ApiRequest, last: u64) {
    let mut query = Serializer::new(String::new());
    query.append_pair("cursor", &URL_SAFE.encode(format!(r#"{{"id":{last}}}"#)));
    let given = call.parameters.iter();
    query.extend_pairs(given.filter(|(name, _)| *name != "cursor"));
    let link = format!(
        "<{url}/api/v4/audit_events?{}>; rel=\"next\"",
        query.finish()
    );
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(LINK, link);
    }
}

/// `None` where it is not known how GitLab tells of it. The names of a ban and its end are those of
/// GitLab's documentation, not recorded.
fn row(change: &RecordedChange) -> Option<Value> {
    let (name, message) = match change.action {
        Action::Block => ("user_blocked", "Blocked user"),
        Action::Unblock => ("unblock_user", "Unblocked user"),
        Action::Ban => ("ban_user", "Banned user"),
        Action::Unban => ("unban_user", "Unbanned user"),
        Action::Deactivate | Action::Activate => return None,
    };
    Some(json!({
        "id": change.id,
        "author_id": change.by,
        "entity_id": change.account,
        "entity_type": "User",
        "event_name": name,
        "details": {
            "event_name": name,
            "author_name": change.by_username,
            "author_class": "User",
            "target_id": change.account,
            "target_type": "User",
            "target_details": change.username,
            "custom_message": message,
            "ip_address": "127.0.0.1",
            "entity_path": change.username,
            "author_email": format!("{}@example.com", change.by_username),
        },
        "created_at": change.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    }))
}
