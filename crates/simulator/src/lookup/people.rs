//! The endpoints about people, the same behind the gateway and on the service itself.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Router,
    extract::{Path, RawQuery, Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
    routing::get,
};
use serde_json::{Value, json};

use super::{SharedLookup, answers, person::SimulatedPerson};
use crate::control::lock;

/// The longest path with its query, in bytes.
const LONGEST: usize = 8_000;

/// Everybody in Lookup, by CRSid.
#[derive(Debug)]
pub(super) struct PersonStore {
    pub(super) by_crsid: BTreeMap<String, SimulatedPerson>,
    /// The number of the last transaction; 1 brought the first people.
    pub(super) transaction: u64,
    /// The transactions that changed people since.
    pub(super) changed_by: BTreeMap<String, u64>,
}

impl PersonStore {
    /// The person with an identifier `crsid` or `scheme/value`; an unknown one is nobody.
    fn find(&self, identifier: &str) -> Option<&SimulatedPerson> {
        let (scheme, value) = identifier.split_once('/').unwrap_or(("crsid", identifier));
        match scheme {
            "crsid" => self.by_crsid.get(&value.to_lowercase()),
            _ => self
                .by_crsid
                .values()
                .find(|person| person.is(scheme, value)),
        }
    }
}

pub(super) fn routes() -> Router<SharedLookup> {
    Router::new()
        .route("/person/list", get(list))
        .route("/person/all-people", get(all))
        .route("/person/modified-people", get(modified))
        .route("/person/{scheme}/{identifier}", get(show))
        .route("/last-transaction", get(last_transaction))
        .route("/version", get(version))
        .fallback(unknown)
}

/// Refuses an address that the servers in front do not take.
pub(super) async fn keep_short(request: Request, next: Next) -> Response {
    let length = request
        .uri()
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if length > LONGEST {
        answers::too_long()
    } else {
        next.run(request).await
    }
}

/// `person/list?crsids=…`: those who are known, cancelled or not, sorted; the others are just
/// absent.
async fn list(State(app): State<SharedLookup>, RawQuery(query): RawQuery) -> Response {
    let parameters = parameters(query);
    let Some(crsids) = parameters.get("crsids") else {
        return answers::error(
            StatusCode::BAD_REQUEST,
            "Missing required parameter: crsids",
        );
    };
    let asked: BTreeSet<&str> = crsids
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .collect();
    let people = lock(&app.people);
    let found: BTreeMap<&str, &SimulatedPerson> = asked
        .into_iter()
        .filter_map(|id| people.find(id))
        .map(|person| (person.crsid.as_str(), person))
        .collect();
    answers::result("people", Some(shown(found.into_values(), &parameters)))
}

/// `person/all-people`: by CRSid, starting after `identifier`, without the cancelled unless they
/// are asked for.
async fn all(State(app): State<SharedLookup>, RawQuery(query): RawQuery) -> Response {
    let parameters = parameters(query);
    let Ok(limit) = parameters
        .get("limit")
        .map_or(Ok(100), |limit| limit.parse())
    else {
        return answers::error(StatusCode::BAD_REQUEST, "limit is not a number");
    };
    let cancelled_too = parameters
        .get("includeCancelled")
        .is_some_and(|flag| flag == "true");
    let after = parameters
        .get("identifier")
        .map(|id| id.trim_start_matches("crsid/").to_lowercase())
        .unwrap_or_default();
    let people = lock(&app.people);
    let listed = people
        .by_crsid
        .values()
        .skip_while(|person| person.crsid <= after)
        .filter(|person| cancelled_too || !person.is_cancelled())
        .take(limit);
    answers::result("people", Some(shown(listed, &parameters)))
}

/// `person/modified-people`: those whom a transaction after `minTxId` changed, up to and with
/// `maxTxId`, as they are now, without the cancelled unless they are asked for.
async fn modified(State(app): State<SharedLookup>, RawQuery(query): RawQuery) -> Response {
    let parameters = parameters(query);
    let number = |key: &str, default: u64| {
        let given = parameters.get(key);
        given.map_or(Ok(default), |number| number.parse::<u64>())
    };
    let (Ok(after), Ok(last)) = (number("minTxId", 0), number("maxTxId", u64::MAX)) else {
        return answers::error(StatusCode::BAD_REQUEST, "minTxId or maxTxId is no number");
    };
    let cancelled_too = parameters
        .get("includeCancelled")
        .is_some_and(|flag| flag == "true");
    let people = lock(&app.people);
    let modified = people.by_crsid.values().filter(|person| {
        let by = people.changed_by.get(&person.crsid).copied().unwrap_or(1);
        after < by && by <= last && (cancelled_too || !person.is_cancelled())
    });
    answers::result("people", Some(shown(modified, &parameters)))
}

/// `person/{scheme}/{identifier}`: 200 with no person where there is none.
async fn show(
    State(app): State<SharedLookup>,
    Path((scheme, identifier)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = parameters(query);
    let people = lock(&app.people);
    let person = people.find(&format!("{scheme}/{identifier}"));
    answers::result(
        "person",
        person.map(|person| person.show(fetch(&parameters))),
    )
}

/// `last-transaction`: a number that rises with every change.
async fn last_transaction(State(app): State<SharedLookup>) -> Response {
    answers::result("value", Some(json!(lock(&app.people).transaction)))
}

async fn version() -> Response {
    answers::result("value", Some(json!("1.2")))
}

async fn unknown() -> Response {
    answers::error(StatusCode::NOT_FOUND, "No such resource")
}

fn parameters(query: Option<String>) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

fn fetch(parameters: &BTreeMap<String, String>) -> &str {
    parameters.get("fetch").map_or("", String::as_str)
}

fn shown<'a>(
    people: impl Iterator<Item = &'a SimulatedPerson>,
    parameters: &BTreeMap<String, String>,
) -> Value {
    people
        .map(|person| person.show(fetch(parameters)))
        .collect()
}
