//! `POST /api/graphql`, as far as accounts are listed with it: recorded on a real GitLab, error by
//! error.

mod complexity;
mod connection;
mod document;
mod errors;
mod execution;
mod schema;
mod validation;
mod variables;

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    answers::{self, ErrorResponse},
    authorization::Caller,
    cost::QueryRows,
    json::{JsonRow, respond},
    request::{ApiRequest, RequestBody},
    store::GitLabStore,
};
use document::{QueryDocument, QueryRefusal};
use errors::QueryError;
use execution::QueryExecution;

/// Rows on a page, whatever was asked for.
const LARGEST_PAGE: usize = 100;

/// Characters of a query (`app/controllers/graphql_controller.rb`).
const LARGEST_QUERY: usize = 10_000;

/// What was sent.
#[derive(Debug, Default)]
struct QueryBody {
    query: String,
    variables: Map<String, Value>,
    operation: Option<String>,
}

/// Answers a query.
pub(super) fn query(
    store: &mut GitLabStore,
    call: &ApiRequest,
    now: Timestamp,
) -> Result<Response, ErrorResponse> {
    let caller = store.enter_graphql(call, now)?;
    let body = QueryBody::read(call)?;
    if body.query.chars().count() > LARGEST_QUERY {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, "Query too large").into());
    }
    let document = match QueryDocument::read(&body.query, body.operation.as_deref()) {
        Ok(document) => document,
        Err(QueryRefusal::Refused(error)) => return Ok(errors(&[error])),
        Err(QueryRefusal::NotSimulated(what)) => return Err(answers::not_simulated(what).into()),
    };
    let problems = validation::problems(&document, &store.conditions);
    if !problems.is_empty() {
        return Ok(errors(&problems));
    }
    let variables = match variables::take(&document.variables, &body.variables) {
        Ok(variables) => variables,
        Err(problems) => return Ok(errors(&problems)),
    };
    let complexity = complexity::score(&document.fields, &variables);
    let limit = complexity::limit(store.is_administrator(caller));
    if complexity > limit {
        let said = format!(
            "Query has complexity of {complexity}, which exceeds max complexity of {limit}"
        );
        return Ok(errors(&[QueryError::new(said)]));
    }
    let mut execution = QueryExecution {
        store,
        caller,
        variables: &variables,
        complexity,
        limit,
        errors: Vec::new(),
        rows: QueryRows::default(),
    };
    let data = execution.data(&document.fields).map_err(|failure| {
        let said = format!("Internal server error: {}", failure.0);
        refusal(StatusCode::INTERNAL_SERVER_ERROR, &said)
    })?;
    let mut body = JsonRow::default();
    if !execution.errors.is_empty() {
        body.push("errors", &rows(&execution.errors));
    }
    body.push("data", &data);
    let mut response = json(StatusCode::OK, &body);
    response.extensions_mut().insert(execution.rows);
    Ok(response)
}

impl GitLabStore {
    /// Whether the caller's account is an administrator's, whatever its token may do.
    fn is_administrator(&self, caller: Option<Caller>) -> Option<bool> {
        let account = self.accounts.get(&caller?.user_id)?;
        Some(account.is_admin)
    }
}

impl QueryBody {
    /// From JSON, a form or the path. What is no text is no query.
    fn read(call: &ApiRequest) -> Result<Self, ErrorResponse> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (query, operation, variables) = match &call.body {
            RequestBody::Json(Value::Array(_)) => {
                return Err(
                    answers::not_simulated("GraphQL: several queries in one request").into(),
                );
            }
            RequestBody::Json(body) => (
                text(body.get("query")),
                text(body.get("operationName")),
                body.get("variables").cloned(),
            ),
            RequestBody::Form(form) => {
                let get = |name| form.get(name).map(str::to_owned);
                (
                    get("query"),
                    get("operationName"),
                    get("variables").map(Value::String),
                )
            }
            RequestBody::Nothing | RequestBody::Broken | RequestBody::Unsupported(_) => {
                let get = |name| call.parameters.get(name).map(str::to_owned);
                (
                    get("query"),
                    get("operationName"),
                    get("variables").map(Value::String),
                )
            }
        };
        Ok(Self {
            query: query.unwrap_or_default(),
            operation: operation.filter(|name| !name.is_empty()),
            variables: object(variables)?,
        })
    }
}

/// Variables are an object, or a text that holds one (`lib/gitlab/graphql/variables.rb`).
fn object(value: Option<Value>) -> Result<Map<String, Value>, ErrorResponse> {
    let invalid = || refusal(StatusCode::UNPROCESSABLE_ENTITY, "Invalid variables").into();
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(variables)) => Ok(variables),
        Some(Value::String(text)) if text.is_empty() => Ok(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| invalid()),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => Err(invalid()),
    }
}

/// A request that is turned away before its query is run.
pub(super) fn refusal(status: StatusCode, said: &str) -> Response {
    let mut body = JsonRow::default();
    body.push("errors", &rows(&[QueryError::new(said)]));
    json(status, &body)
}

fn errors(errors: &[QueryError]) -> Response {
    let mut body = JsonRow::default();
    body.push("errors", &rows(errors));
    json(StatusCode::OK, &body)
}

fn rows(errors: &[QueryError]) -> Vec<JsonRow> {
    errors.iter().map(QueryError::row).collect()
}

fn json(status: StatusCode, body: &JsonRow) -> Response {
    let mut response = respond(status, body);
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
