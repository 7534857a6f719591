//! What is read: who the token is, listing and showing accounts, their custom attributes.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;

use super::{
    account::SimulatedUser,
    answers::{self, ErrorResponse},
    authorization::{self, Caller, RequiredScope},
    cost::RowCount,
    entities::Entity,
    filters::UserFilter,
    json::{JsonRow, respond},
    pages::{ListingError, Paging},
    request::ApiRequest,
    route::PathId,
    rows::{self, RowView},
    store::GitLabStore,
};

/// `GET /version`, as the recorded instance said it.
const VERSION: &str = r#"{"version":"18.9.0-pre","revision":"Unknown","kas":{"enabled":false,"externalUrl":null,"externalK8sProxyUrl":null,"version":null},"enterprise":true}"#;

/// A read as it is answered; `Err` holds the refusal.
pub(super) type ApiResult = Result<Response, ErrorResponse>;

/// `GET /version` and `GET /metadata`.
pub(super) fn version(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    store
        .enter(call, RequiredScope::ToRead, url, now)?
        .ok_or_else(answers::unauthorized)?;
    let json = [(CONTENT_TYPE, "application/json")];
    Ok((StatusCode::OK, json, VERSION).into_response())
}

/// `GET /user`. An administrator's account says so even where Admin Mode withholds the rights.
pub(super) fn current(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    let caller = store.enter(call, RequiredScope::ToRead, url, now)?;
    let caller = caller.ok_or_else(answers::unauthorized)?;
    let account = store.accounts.get(&caller.user_id);
    let account = account.ok_or_else(answers::unauthorized)?;
    let entity = if account.is_admin {
        Entity::Admin
    } else {
        Entity::Public
    };
    let view = view(store, caller, entity, false, url);
    shown(view.row(account))
}

/// `GET /personal_access_tokens/self`, which every scope may ask.
pub(super) fn token(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    store
        .enter(call, RequiredScope::Nothing, url, now)?
        .ok_or_else(answers::unauthorized)?;
    let token = authorization::secret(call).and_then(|secret| store.tokens.get(secret));
    let token = token.ok_or_else(answers::unauthorized)?;
    let used = now.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let mut row = token.row("2026-01-05T09:00:00.000Z", Some(&used));
    row.push("last_used_ips", &["127.0.0.1"]);
    Ok(respond(StatusCode::OK, &row))
}

/// `GET /users`.
pub(super) fn list(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    let caller = store
        .enter(call, RequiredScope::ToRead, url, now)?
        .ok_or_else(|| answers::denied("Not authorized to access /api/v4/users"))?;
    listed(store, caller, url, call).map_err(|refused| refused.into_response().into())
}

fn listed(
    store: &GitLabStore,
    caller: Caller,
    url: &str,
    call: &ApiRequest,
) -> Result<Response, ListingError> {
    let asked = &call.parameters;
    let filter = UserFilter::new(asked, caller.admin)?;
    if filter.needs_admin() && !caller.admin {
        return Ok(answers::forbidden());
    }
    let with_custom_attributes = asked.flag("with_custom_attributes")?;
    let page = Paging::new(asked, caller.admin)?.cut(store, &filter)?;
    let entity = if caller.admin {
        Entity::Admin
    } else {
        Entity::Basic
    };
    let view = view(store, caller, entity, with_custom_attributes, url);
    let rows: Option<Vec<JsonRow>> = page
        .accounts
        .iter()
        .map(|account| view.row(account))
        .collect();
    let rows = rows.ok_or(ListingError::Broken)?;
    let mut response = respond(StatusCode::OK, &rows);
    response.extensions_mut().insert(RowCount(rows.len()));
    Ok(page.lead(response, url, asked))
}

/// `GET /users/:id`.
pub(super) fn show(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    id: PathId,
) -> ApiResult {
    let caller = store
        .enter(call, RequiredScope::ToRead, url, now)?
        .ok_or_else(|| answers::denied("Not authorized!"))?;
    let with = call.parameters.flag("with_custom_attributes");
    let with = with.map_err(|invalid| ListingError::from(invalid).into_response())?;
    if !caller.admin && !store.may_get_by_id(caller.user_id, now) {
        return Err(answers::too_many_times().into());
    }
    let account = store.find(id).ok_or_else(answers::user_not_found)?;
    let entity = if caller.admin {
        Entity::Details
    } else {
        Entity::Profile
    };
    shown(view(store, caller, entity, with, url).row(account))
}

/// One account as an administrator sees it after a change.
pub(super) fn details(store: &GitLabStore, caller: Caller, url: &str, id: PathId) -> ApiResult {
    let account = store.find(id).ok_or_else(answers::user_not_found)?;
    shown(view(store, caller, Entity::Details, false, url).row(account))
}

/// `GET /users/:id/custom_attributes`, and of one key.
pub(super) fn attributes(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
    (id, key): (PathId, Option<&str>),
) -> ApiResult {
    let caller = store.enter(call, RequiredScope::ToRead, url, now)?;
    let account = store.owner_of_attributes(id, caller)?;
    Ok(match key {
        None => respond(StatusCode::OK, &rows::custom_attributes(account)),
        Some(key) => match account.custom_attributes.get(key) {
            Some(value) => respond(StatusCode::OK, &rows::attribute(key, value)),
            None => no_such_attribute(),
        },
    })
}

/// An account that is there and a key that is not: GitLab spells the two apart.
pub(super) fn no_such_attribute() -> Response {
    answers::message(StatusCode::NOT_FOUND, "404 Not found")
}

impl GitLabStore {
    pub(super) fn find(&self, id: PathId) -> Option<&SimulatedUser> {
        self.accounts.get(&id?)
    }

    /// The account whose attributes are asked for: first it is looked for, then who asks is. Nobody
    /// at all is refused like somebody without rights.
    pub(super) fn owner_of_attributes(
        &self,
        id: PathId,
        caller: Option<Caller>,
    ) -> Result<&SimulatedUser, ErrorResponse> {
        let account = self
            .find(id)
            .ok_or_else(|| answers::message(StatusCode::NOT_FOUND, "404 Not Found"))?;
        if caller.is_some_and(|caller| caller.admin) {
            Ok(account)
        } else {
            Err(answers::forbidden().into())
        }
    }
}

fn view<'a>(
    store: &'a GitLabStore,
    caller: Caller,
    entity: Entity,
    with_custom_attributes: bool,
    url: &'a str,
) -> RowView<'a> {
    RowView {
        entity,
        with_custom_attributes,
        caller,
        url,
        activity: &store.activity,
    }
}

fn shown(row: Option<JsonRow>) -> ApiResult {
    let row = row.ok_or_else(answers::internal_error)?;
    Ok(respond(StatusCode::OK, &row))
}
