//! Changes as the university's records make them, and the whole state.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, put},
};
use serde_json::{Map, Value, json};

use super::{SharedLookup, person::SimulatedPerson};
use crate::control::{lock, refuse};

pub(super) fn routes(app: SharedLookup) -> Router {
    Router::new()
        .route("/simulate/state", get(state))
        .route(
            "/simulate/people/{crsid}",
            put(change_person).delete(delete_person).get(show_person),
        )
        .route("/simulate/tokens", delete(revoke_tokens))
        .with_state(app)
}

/// Merges `changes` into the person's row; somebody new is a current member first.
pub(super) fn change(app: &SharedLookup, crsid: &str, changes: Map<String, Value>) {
    let mut people = lock(&app.people);
    people.transaction += 1;
    let crsid = crsid.to_lowercase();
    let transaction = people.transaction;
    people.changed_by.insert(crsid.clone(), transaction);
    people
        .by_crsid
        .entry(crsid.clone())
        .or_insert_with(|| SimulatedPerson::current(&crsid, &crsid))
        .merge(changes);
}

/// Takes the person out of Lookup altogether; says whether they were there.
pub(super) fn remove(app: &SharedLookup, crsid: &str) -> bool {
    let mut people = lock(&app.people);
    people.transaction += 1;
    people.by_crsid.remove(&crsid.to_lowercase()).is_some()
}

async fn change_person(
    State(app): State<SharedLookup>,
    Path(crsid): Path<String>,
    body: Bytes,
) -> Response {
    match serde_json::from_slice(&body) {
        Ok(changes) => {
            change(&app, &crsid, changes);
            show_person(State(app), Path(crsid)).await
        }
        Err(error) => refuse(&error.to_string()),
    }
}

async fn show_person(State(app): State<SharedLookup>, Path(crsid): Path<String>) -> Response {
    match lock(&app.people).by_crsid.get(&crsid.to_lowercase()) {
        Some(person) => Json(&person.row).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_person(State(app): State<SharedLookup>, Path(crsid): Path<String>) -> StatusCode {
    if remove(&app, &crsid) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn revoke_tokens(State(app): State<SharedLookup>) -> StatusCode {
    lock(&app.tokens).revoke();
    StatusCode::NO_CONTENT
}

async fn state(State(app): State<SharedLookup>) -> Json<Value> {
    let people = lock(&app.people);
    let rows: Vec<_> = people.by_crsid.values().map(|person| &person.row).collect();
    Json(json!({"people": rows, "last_transaction": people.transaction}))
}
