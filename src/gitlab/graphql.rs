//! Questions of GraphQL about accounts, and what an answer is worth.
//!
//! Facts are those of GitLab 18.9, `app/graphql/resolvers/users_resolver.rb`, and what one was
//! recorded to answer: errors come with status 200, a token without the scope `read_api` or `api`
//! is answered 401, and one without administrator's rights sees fewer people and null attributes.

use std::{borrow::Cow, time::Duration};

use reqwest::{StatusCode, Url};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tokio::time::sleep;

use super::{Client, client::FULL};
use crate::{
    gate::ErrorKind,
    upstream::{CallError, Fault, LenientValue, UpstreamRequest, UpstreamResponse},
};

/// Before a page that failed is asked for again.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// Of what GitLab says of a question that it does not take, so many characters are repeated.
const LONGEST_REASON: usize = 200;

/// Why GraphQL does not serve here: REST has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LightUnavailable(pub(crate) String);

#[derive(Deserialize)]
struct GraphQlAnswer<'a> {
    #[serde(borrow, default)]
    data: Option<GraphQlData<'a>>,
    #[serde(borrow, default)]
    errors: Vec<GraphQlError<'a>>,
}

#[derive(Deserialize)]
struct GraphQlError<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct GraphQlData<'a> {
    #[serde(borrow, default)]
    users: Option<UsersConnection<'a>>,
    #[serde(default)]
    own: Option<OwnNode>,
}

/// The token's own account: an administrator is shown its attributes, if only an empty list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnNode {
    custom_attributes: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsersConnection<'a> {
    #[serde(borrow)]
    page_info: PageInfo<'a>,
    #[serde(borrow)]
    pub(super) nodes: Vec<UserNode<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo<'a> {
    has_next_page: bool,
    #[serde(borrow)]
    end_cursor: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserNode<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) username: LenientValue<'a>,
    #[serde(borrow, default)]
    pub(super) state: LenientValue<'a>,
    #[serde(borrow, default)]
    pub(super) last_activity_on: LenientValue<'a>,
}

impl UsersConnection<'_> {
    /// The cursor of the last row.
    pub(super) fn end(&self) -> Option<&str> {
        self.page_info.end_cursor.as_deref()
    }
}

impl UserNode<'_> {
    /// The number in `id`.
    pub(super) fn number(&self) -> Result<u64, Fault> {
        self.id
            .strip_prefix("gid://gitlab/User/")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| contradiction("showed an account without a number".to_owned()))
    }
}

impl Client {
    /// Asks `question` by GraphQL. One that fails while REST answers is no outage: GraphQL is
    /// unavailable.
    pub(super) async fn ask_graphql<T>(
        &self,
        operation: &'static str,
        question: String,
        judge: impl Fn(&UpstreamResponse) -> Result<Result<T, LightUnavailable>, Fault>,
    ) -> Result<Result<T, LightUnavailable>, CallError> {
        let call = UpstreamRequest::question(operation, self.graphql(), question);
        let mut pauses = PAUSES.iter();
        loop {
            let fault = match self.patient().try_read(&call, &judge).await? {
                Ok(answered) => return Ok(answered),
                Err(fault) => fault,
            };
            let Some(pause) = pauses.next() else {
                self.proves_well().await?;
                return Ok(Err(LightUnavailable(fault.to_string())));
            };
            sleep(*pause).await;
        }
    }

    fn graphql(&self) -> Url {
        let mut url = Url::clone(&self.base);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "graphql"]);
        }
        url
    }
}

/// The body of a question about `first` accounts in that order, after the cursor `after`. The
/// token's own account is asked about beside them, since its attributes tell whether the token sees
/// as an administrator does; asked of everybody they cost three times the page.
pub(super) fn question(sort: &str, first: usize, after: Option<&str>, own: u64) -> String {
    let query = format!(
        "query($after: String) {{ \
         users(first: {first}, after: $after, humans: true, sort: {sort}) {{ \
         pageInfo {{ hasNextPage endCursor }} nodes {{ id username state lastActivityOn }} }} \
         own: user(id: \"gid://gitlab/User/{own}\") {{ customAttributes {{ key }} }} }}"
    );
    json!({"query": query, "variables": {"after": after}}).to_string()
}

/// The accounts of an answer that an administrator is given.
pub(super) fn connection(
    answer: &UpstreamResponse,
) -> Result<Result<UsersConnection<'_>, LightUnavailable>, Fault> {
    let status = answer.status;
    let refuses = status.is_client_error()
        || status.is_redirection()
        || status == StatusCode::NOT_IMPLEMENTED;
    let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if refuses && !may_pass {
        return Ok(unavailable(&format!("answered {}", status.as_u16())));
    }
    let answer: GraphQlAnswer<'_> = answer.json()?;
    if let Some(error) = answer.errors.first() {
        let reason: String = error.message.chars().take(LONGEST_REASON).collect();
        return Ok(unavailable(&format!(
            "does not take the question: {reason}"
        )));
    }
    let Some(GraphQlData {
        users: Some(users),
        own: Some(own),
    }) = answer.data
    else {
        return Ok(unavailable("shows no accounts, or not the token's own"));
    };
    if own.custom_attributes.is_none() {
        return Ok(unavailable("does not show what an administrator sees"));
    }
    if users.nodes.len() > FULL {
        return Err(contradiction(format!(
            "showed {} accounts when asked for {FULL}",
            users.nodes.len()
        )));
    }
    Ok(Ok(users))
}

/// Where the page after `users` starts, which began after `after`.
pub(super) fn next(
    users: &UsersConnection<'_>,
    after: Option<&str>,
) -> Result<Option<String>, Fault> {
    match (users.page_info.has_next_page, &users.page_info.end_cursor) {
        (false, _) => Ok(None),
        (true, Some(cursor)) if Some(&**cursor) != after && !users.nodes.is_empty() => {
            Ok(Some(cursor.clone().into_owned()))
        }
        (true, _) => Err(contradiction("named a next page that is none".to_owned())),
    }
}

pub(super) fn unavailable<T>(why: &str) -> Result<T, LightUnavailable> {
    Err(LightUnavailable(format!("GraphQL {why}")))
}

/// It may pass, so the page is asked for again; then REST has to serve.
pub(super) fn contradiction(what: String) -> Fault {
    Fault::new(ErrorKind::Unreadable, what)
}
