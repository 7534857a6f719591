//! What is changed: states, custom attributes, whole accounts.

use axum::{http::StatusCode, response::IntoResponse};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    answers::{self, ErrorResponse},
    authorization::{Caller, RequiredScope},
    hidden::Deletion,
    json::respond,
    kinds::UserState,
    parameters::Parameters,
    reads::{self, ApiResult, no_such_attribute},
    request::{ApiRequest, RequestBody},
    route::{PathId, Review},
    rows,
    settings::Health,
    states::{Action, TransitionResult},
    store::GitLabStore,
};

/// The first half of a change of state: what GitLab sees and makes of it.
pub(super) fn judge(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    (id, action): (PathId, Action),
) -> Result<(Caller, u64, TransitionResult), ErrorResponse> {
    let caller = administrator(store, call, url, now)?;
    let id = store.find(id).map(|account| account.id);
    let id = id.ok_or_else(answers::user_not_found)?;
    let verdict = store.verdict(action, id, caller.user_id, now);
    let verdict = verdict.ok_or_else(answers::user_not_found)?;
    match (store.conditions.database, &verdict, action) {
        (Health::ReadOnly, TransitionResult::Becomes(_), _) => {
            Err(answers::internal_error().into())
        }
        (Health::Up | Health::Gone | Health::ReadOnly, _, _) => Ok((caller, id, verdict)),
    }
}

/// `POST /users/:id/approve` and `…/reject`, which look for the account before they ask who comes.
pub(super) fn review(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    (id, review): (PathId, Review),
) -> ApiResult {
    let caller = store.enter(call, RequiredScope::ToWrite, url, now)?;
    let caller = caller.ok_or_else(answers::unauthorized)?;
    let id = store.find(id).map(|account| account.id);
    let account = id.and_then(|id| store.accounts.get_mut(&id));
    let account = account.ok_or_else(answers::user_not_found)?;
    let (verb, not_pending, status, after) = match review {
        Review::Approve => (
            "approve",
            "The user you are trying to approve is not pending approval",
            StatusCode::CREATED,
            UserState::Active,
        ),
        Review::Reject => (
            "reject",
            "User does not have a pending request",
            StatusCode::OK,
            UserState::Blocked,
        ),
    };
    if !caller.admin {
        let text = format!("You are not allowed to {verb} a user");
        return Err(answers::message(StatusCode::FORBIDDEN, &text).into());
    }
    if account.state != UserState::BlockedPendingApproval {
        return Err(answers::message(StatusCode::CONFLICT, not_pending).into());
    }
    account.state = after;
    let id = account.id;
    store.activity.touch(id, now);
    Ok(answers::message(status, "Success"))
}

/// `PUT /users/:id/custom_attributes/:key`, the value in a form, in JSON or in the query.
pub(super) fn put_attribute(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    (id, key): (PathId, &str),
) -> ApiResult {
    let caller = store.enter(call, RequiredScope::ToWrite, url, now)?;
    let value = value(call).map_err(|error| answers::error(StatusCode::BAD_REQUEST, error))?;
    let id = store.owner_of_attributes(id, caller)?.id;
    for (name, text) in [("key", key), ("value", value.as_str())] {
        if text.trim().is_empty() {
            return Err(answers::invalid_record(name, "can't be blank").into());
        }
    }
    let read_only = store.conditions.database == Health::ReadOnly;
    let account = store.accounts.get_mut(&id);
    let account = account.ok_or_else(answers::user_not_found)?;
    // What is so already is not written.
    if read_only && account.custom_attributes.get(key) != Some(&value) {
        return Err(answers::internal_error().into());
    }
    account
        .custom_attributes
        .insert(key.to_owned(), value.clone());
    Ok(respond(StatusCode::OK, &rows::attribute(key, &value)))
}

/// `DELETE /users/:id/custom_attributes/:key`.
pub(super) fn delete_attribute(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    (id, key): (PathId, &str),
) -> ApiResult {
    let caller = store.enter(call, RequiredScope::ToWrite, url, now)?;
    let id = store.owner_of_attributes(id, caller)?.id;
    if store.conditions.database == Health::ReadOnly {
        return Err(answers::internal_error().into());
    }
    let account = store.accounts.get_mut(&id);
    match account.and_then(|account| account.custom_attributes.remove(key)) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(no_such_attribute().into()),
    }
}

/// `DELETE /users/:id`: a background worker does it later; with `hard_delete` the account is
/// blocked at once.
pub(super) fn delete(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    id: PathId,
) -> ApiResult {
    administrator(store, call, url, now)?;
    let hard = call.parameters.flag("hard_delete").unwrap_or_default();
    let id = store.find(id).map(|account| account.id);
    let account = id.and_then(|id| store.accounts.get_mut(&id));
    let account = account.ok_or_else(answers::user_not_found)?;
    if account.hidden.deletion.is_none() {
        let deletion = if hard {
            Deletion::UnderWay
        } else {
            Deletion::Requested
        };
        account.set_deletion(Some(deletion));
        if hard {
            let blocked = account.id;
            store.activity.touch(blocked, now);
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /users/:id`, of which only a `note` is taken.
pub(super) fn change(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    id: PathId,
) -> ApiResult {
    let caller = administrator(store, call, url, now)?;
    let note = match &call.body {
        RequestBody::Json(body) => body.get("note").and_then(Value::as_str),
        RequestBody::Form(form) => form.get("note"),
        RequestBody::Nothing | RequestBody::Broken | RequestBody::Unsupported(_) => {
            call.parameters.get("note")
        }
    };
    let note =
        note.ok_or_else(|| answers::not_simulated("PUT /users/:id of other keys than note"))?;
    let found = store.find(id).map(|account| account.id);
    let account = found.and_then(|id| store.accounts.get_mut(&id));
    let account = account.ok_or_else(answers::user_not_found)?;
    if let Some(invalid) = account.invalid() {
        let (field, problem) = invalid.split_once(' ').unwrap_or((invalid, ""));
        return Err(answers::invalid_record(&field.to_lowercase(), problem).into());
    }
    account.others.insert("note".to_owned(), json!(note));
    let changed = account.id;
    store.activity.touch(changed, now);
    reads::details(store, caller, url, id)
}

fn administrator(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> Result<Caller, ErrorResponse> {
    let caller = store.enter(call, RequiredScope::ToWrite, url, now)?;
    let caller = caller.ok_or_else(answers::unauthorized)?;
    if caller.admin {
        Ok(caller)
    } else {
        Err(answers::forbidden().into())
    }
}

/// `value` as it was sent; a number or a boolean in JSON is taken as its text, as Grape's `String`
/// does, and null as nothing.
fn value(call: &ApiRequest) -> Result<String, &'static str> {
    let invalid = "value is invalid";
    let given = |parameters: &Parameters| match parameters.get("value") {
        Some(value) => Ok(Some(value.to_owned())),
        None if parameters
            .iter()
            .any(|(name, _)| name.starts_with("value[")) =>
        {
            Err(invalid)
        }
        None => Ok(None),
    };
    let sent = match &call.body {
        RequestBody::Json(body) => match body.get("value") {
            None => None,
            Some(Value::Null) => Some(String::new()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Array(_) | Value::Object(_)) => return Err(invalid),
            Some(other @ (Value::Bool(_) | Value::Number(_))) => Some(other.to_string()),
        },
        RequestBody::Form(form) => given(form)?,
        RequestBody::Nothing | RequestBody::Broken | RequestBody::Unsupported(_) => None,
    };
    match sent {
        Some(value) => Ok(value),
        None => given(&call.parameters)?.ok_or("value is missing"),
    }
}
