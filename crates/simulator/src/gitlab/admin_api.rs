//! Changes as a person makes them on GitLab's own pages, and the whole state for asserting the end.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    account::{RowError, SimulatedUser},
    rows,
    server::SharedGitLab,
    settings::{Conditions, MAINTENANCE},
    store::{Actor, GitLabStore},
    tokens::{SimulatedToken, TokenChange},
};
use crate::control::{lock, refuse};

/// A change of an account that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The body is no change.
    #[error("{0}")]
    Malformed(String),
    /// A key of the row cannot have this value.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Without a username no account can be made.
    #[error("there is no account {0}; to create it, give its username")]
    Unknown(u64),
}

/// The body of `PUT /simulate/users/{id}`: keys of the row, what is hidden, and who does it when.
#[derive(Debug, Default, Deserialize)]
struct UserChange {
    by: Option<ChangedBy>,
    at: Option<Timestamp>,
    /// `active` as an identity provider sets it through SCIM.
    scim: Option<bool>,
    hidden: Option<Map<String, Value>>,
    #[serde(flatten)]
    row: Map<String, Value>,
}

/// Who changes a state.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ChangedBy {
    /// An administrator, whom GitLab puts on record.
    SimulatedUser { id: u64, username: String },
    /// LDAP, SAML or a background worker, of whom it keeps no record.
    Silent(UnrecordedActor),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UnrecordedActor {
    Nobody,
}

pub(super) fn routes(app: SharedGitLab) -> Router {
    Router::new()
        .route("/simulate/state", get(state))
        .route(
            "/simulate/users/{id}",
            put(change_user).delete(delete_user).get(show_user),
        )
        .route("/simulate/tokens/{secret}", put(change_token))
        .route("/simulate/cost", get(spent).delete(forget_spent))
        .route("/simulate/settings", put(change_conditions))
        .route("/simulate/maintenance", put(change_maintenance))
        .with_state(app)
}

/// Applies `change` to the account, or makes it, as another administrator than `owner` would.
pub(super) fn change(
    store: &mut GitLabStore,
    owner: u64,
    id: u64,
    change: Value,
) -> Result<(), ChangeError> {
    let UserChange {
        by,
        at,
        scim,
        hidden,
        mut row,
    } = serde_json::from_value(change)
        .map_err(|error| ChangeError::Malformed(error.to_string()))?;
    let actor = match by {
        Some(ChangedBy::SimulatedUser { id, username }) => Some(Actor { id, username }),
        Some(ChangedBy::Silent(UnrecordedActor::Nobody)) => None,
        None => Some(store.another_administrator(owner)),
    };
    let mut account = match (
        store.accounts.get(&id),
        row.get("username").and_then(Value::as_str),
    ) {
        (Some(account), _) => account.clone(),
        (None, Some(username)) => SimulatedUser::new(id, username),
        (None, None) => return Err(ChangeError::Unknown(id)),
    };
    let before = account.state.clone();
    // Last, so that who states a `blocked_by` himself gets that one.
    let attributes = row
        .remove("custom_attributes")
        .map(|value| ("custom_attributes".to_owned(), value));
    row.remove("id");
    let dated = row.contains_key("updated_at");
    account.merge(row)?;
    let at = at.unwrap_or_else(Timestamp::now);
    let changed = actor.and_then(|actor| {
        let action = account.stamp_change(&before, &actor, at)?;
        Some((action, actor))
    });
    if let Some(active) = scim {
        account.set_by_scim(active);
    }
    if let Some(hidden) = hidden {
        hide(&mut account, hidden)?;
    }
    account.merge(attributes.into_iter().collect())?;
    let before = store.accounts.insert(id, account.clone());
    if dated {
        store.activity.forget(id);
    } else if before.is_none_or(|before| account.is_written_after(&before)) {
        store.activity.touch(id, at);
    }
    if let Some((action, actor)) = changed {
        store.audit(action, id, &actor, at);
    }
    Ok(())
}

/// Changes what no row shows, key by key.
fn hide(account: &mut SimulatedUser, changes: Map<String, Value>) -> Result<(), ChangeError> {
    let malformed = |error: serde_json::Error| ChangeError::Malformed(format!("hidden: {error}"));
    let mut all = serde_json::to_value(&account.hidden).map_err(malformed)?;
    if let Some(all) = all.as_object_mut() {
        all.extend(changes);
    }
    let before = account.hidden.deletion;
    account.hidden = serde_json::from_value(all).map_err(malformed)?;
    if account.hidden.deletion != before {
        account.set_deletion(account.hidden.deletion);
    }
    Ok(())
}

async fn change_user(
    State(app): State<SharedGitLab>,
    Path(id): Path<u64>,
    body: Bytes,
) -> Response {
    let changed = serde_json::from_slice(&body)
        .map_err(|error| ChangeError::Malformed(error.to_string()))
        .and_then(|body| change(&mut app.store(), app.owner, id, body));
    match changed {
        Ok(()) => show_user(State(app), Path(id)).await,
        Err(error) => refuse(&error.to_string()),
    }
}

async fn show_user(State(app): State<SharedGitLab>, Path(id): Path<u64>) -> Response {
    match app.store().accounts.get(&id) {
        Some(account) => Json(rows::everything(account, &app.url)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_user(State(app): State<SharedGitLab>, Path(id): Path<u64>) -> StatusCode {
    match lock(&app.store).accounts.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

/// Changes a token, or makes one of the same owner without administrator's rights.
async fn change_token(
    State(app): State<SharedGitLab>,
    Path(secret): Path<String>,
    body: Bytes,
) -> Response {
    let change: TokenChange = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return refuse(&error.to_string()),
    };
    let mut store = lock(&app.store);
    let token = store
        .tokens
        .entry(secret)
        .or_insert_with(|| SimulatedToken::new(app.owner, false));
    token.change(change);
    Json(token.clone()).into_response()
}

#[derive(Deserialize)]
struct Maintenance {
    enabled: bool,
    message: Option<String>,
}

async fn change_maintenance(State(app): State<SharedGitLab>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Maintenance { enabled, message }) => {
            let text = message.unwrap_or_else(|| MAINTENANCE.to_owned());
            app.store().conditions.maintenance = enabled.then_some(text);
            Json(json!({ "enabled": enabled })).into_response()
        }
        Err(error) => refuse(&error.to_string()),
    }
}

/// Changes what was given and leaves the rest.
async fn change_conditions(State(app): State<SharedGitLab>, body: Bytes) -> Response {
    let mut store = app.store();
    let merged = serde_json::from_slice::<Map<String, Value>>(&body).and_then(|changes| {
        let mut all = serde_json::to_value(&store.conditions)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(changes);
        }
        serde_json::from_value::<Conditions>(all)
    });
    match merged {
        Ok(conditions) => {
            store.set_conditions(conditions.clone());
            Json(conditions).into_response()
        }
        Err(error) => refuse(&error.to_string()),
    }
}

async fn state(State(app): State<SharedGitLab>) -> Json<Value> {
    let store = app.store();
    let users: Vec<_> = store
        .accounts
        .values()
        .map(|account| rows::everything(account, &app.url))
        .collect();
    Json(json!({"users": users, "tokens": store.tokens, "settings": store.conditions}))
}

/// What the processes spent, in all and by kind.
async fn spent(State(app): State<SharedGitLab>) -> Json<Value> {
    let spent = app.processes.spent();
    let seconds = spent.total().as_secs_f64();
    let cost = app.processes.cost.as_str();
    Json(json!({"cost": cost, "seconds": seconds, "spent": spent}))
}

async fn forget_spent(State(app): State<SharedGitLab>) -> StatusCode {
    app.processes.forget_spent();
    StatusCode::NO_CONTENT
}
