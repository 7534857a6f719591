//! Everybody's state by GraphQL: a seventh of what the same rows cost GitLab by REST, without what
//! only REST shows (identities, sign-ins) or GraphQL shows dearly (custom attributes).
//!
//! Facts are those of GitLab 18.9, `app/graphql/resolvers/users_resolver.rb`, and what one was
//! recorded to answer: errors come with status 200, a token without the scope `read_api` or `api`
//! is answered 401, and one without administrator's rights sees fewer people and null attributes.

use std::{borrow::Cow, time::Duration};

use reqwest::{StatusCode, Url};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tokio::time::sleep;

use super::{Client, Timed, client::FULL};
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

/// What GraphQL shows of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightRow {
    /// The number in `id`, `gid://gitlab/User/<number>`.
    pub id: u64,
    /// `username`; empty where it is no text.
    pub username: String,
    /// `state`, as sent; empty where it is no text.
    pub state: String,
    /// `lastActivityOn`
    pub last_activity_on: Timed,
}

/// One page of the light listing, in the order of creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightPage {
    /// The accounts.
    pub rows: Vec<LightRow>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<String>,
}

/// Why GraphQL does not serve here: REST has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LightUnavailable(pub(crate) String);

#[derive(Deserialize)]
struct LightAnswer<'a> {
    #[serde(borrow, default)]
    data: Option<LightData<'a>>,
    #[serde(borrow, default)]
    errors: Vec<GraphQlError<'a>>,
}

#[derive(Deserialize)]
struct GraphQlError<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LightData<'a> {
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
    pub(super) nodes: Vec<LightNode<'a>>,
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
pub(super) struct LightNode<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    username: LenientValue<'a>,
    #[serde(borrow, default)]
    state: LenientValue<'a>,
    #[serde(borrow, default)]
    last_activity_on: LenientValue<'a>,
}

impl UsersConnection<'_> {
    /// The cursor of the last row.
    pub(super) fn end(&self) -> Option<&str> {
        self.page_info.end_cursor.as_deref()
    }
}

impl LightNode<'_> {
    /// The number in `id`.
    pub(super) fn number(&self) -> Result<u64, Fault> {
        self.id
            .strip_prefix("gid://gitlab/User/")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| contradiction("showed an account without a number".to_owned()))
    }
}

impl Client {
    /// One page of all human accounts by GraphQL, after the cursor `after`. A page that fails while
    /// REST answers is no outage: GraphQL is unavailable.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn light_page(
        &self,
        after: Option<&str>,
    ) -> Result<Result<LightPage, LightUnavailable>, CallError> {
        let own = self.own_id().await?;
        let judge = |answer: &UpstreamResponse| page(answer, after);
        self.ask_lightly("light_list_users", question(after, own), judge)
            .await
    }

    /// Asks `question` by GraphQL. One that fails while REST answers is no outage: GraphQL is
    /// unavailable.
    pub(super) async fn ask_lightly<T>(
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

/// The body of the question. The token's own account is asked about beside each page, since its
/// attributes tell whether the token sees as an administrator does; asked of everybody they cost
/// three times the page.
fn question(after: Option<&str>, own: u64) -> String {
    question_of("CREATED_ASC", FULL, after, own)
}

/// The same in another order, and of another size.
pub(super) fn question_of(sort: &str, first: usize, after: Option<&str>, own: u64) -> String {
    let query = format!(
        "query($after: String) {{ \
         users(first: {first}, after: $after, humans: true, sort: {sort}) {{ \
         pageInfo {{ hasNextPage endCursor }} nodes {{ id username state lastActivityOn }} }} \
         own: user(id: \"gid://gitlab/User/{own}\") {{ customAttributes {{ key }} }} }}"
    );
    json!({"query": query, "variables": {"after": after}}).to_string()
}

/// What an answer tells: a page, or that GraphQL is of no use here.
fn page(
    answer: &UpstreamResponse,
    after: Option<&str>,
) -> Result<Result<LightPage, LightUnavailable>, Fault> {
    let users = match connection(answer)? {
        Ok(users) => users,
        Err(unavailable) => return Ok(Err(unavailable)),
    };
    let next = next(&users, after)?;
    let rows = users.nodes.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Ok(LightPage { rows, next }))
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
    let answer: LightAnswer<'_> = answer.json()?;
    if let Some(error) = answer.errors.first() {
        let reason: String = error.message.chars().take(LONGEST_REASON).collect();
        return Ok(unavailable(&format!(
            "does not take the question: {reason}"
        )));
    }
    let Some(LightData {
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

fn row(node: LightNode<'_>) -> Result<LightRow, Fault> {
    let text = |value: &LenientValue<'_>| value.text().unwrap_or_default().to_owned();
    Ok(LightRow {
        id: node.number()?,
        username: text(&node.username),
        state: text(&node.state),
        last_activity_on: match node.last_activity_on {
            LenientValue::Absent | LenientValue::Null => Timed::Never,
            odd_or_text => odd_or_text.text().map_or(Timed::Unreadable, Timed::parse),
        },
    })
}

pub(super) fn unavailable<T>(why: &str) -> Result<T, LightUnavailable> {
    Err(LightUnavailable(format!("GraphQL {why}")))
}

/// It may pass, so the page is asked for again; then REST has to serve.
pub(super) fn contradiction(what: String) -> Fault {
    Fault::new(ErrorKind::Unreadable, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::civil::date;
    use proptest::prelude::*;
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn answer(status: u16, body: &str) -> UpstreamResponse {
        let json = HeaderValue::from_static("application/json");
        UpstreamResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: body.to_owned().into(),
        }
    }

    fn told(users: &str, own: &str) -> UpstreamResponse {
        answer(
            200,
            &format!(r#"{{"data":{{"users":{users},"own":{own}}}}}"#),
        )
    }

    const OWN: &str = r#"{"customAttributes":[]}"#;

    #[test]
    fn a_page_has_rows_and_says_where_it_goes_on() {
        let users = r#"{"pageInfo":{"hasNextPage":true,"endCursor":"abc"},"nodes":[
            {"id":"gid://gitlab/User/42","username":"spqr1","state":"blocked","lastActivityOn":"2026-10-30"},
            {"id":"gid://gitlab/User/43","username":"spqr2","state":"active","lastActivityOn":null}]}"#;
        let read = page(&told(users, OWN), None).unwrap().unwrap();
        assert_eq!(read.next.as_deref(), Some("abc"));
        assert_eq!(read.rows[0].id, 42);
        assert_eq!(read.rows[0].last_activity_on, Timed::On(date(2026, 10, 30)));
        assert_eq!(read.rows[1].last_activity_on, Timed::Never);
    }

    /// One odd account takes nothing from the others: it differs from what is known of it, and is
    /// read exactly.
    #[rstest]
    #[case(r#""username":null,"state":"active","lastActivityOn":null"#)]
    #[case(r#""username":7,"state":["x"],"lastActivityOn":"2026-13-40""#)]
    #[case(r#""state":"active""#)]
    fn an_odd_row_is_a_row(#[case] odd: &str) {
        let users = format!(
            r#"{{"pageInfo":{{"hasNextPage":false,"endCursor":null}},"nodes":[{{"id":"gid://gitlab/User/42",{odd}}}]}}"#
        );
        let read = page(&told(&users, OWN), None).unwrap().unwrap();
        assert_eq!((read.rows.len(), read.rows[0].id), (1, 42));
        assert_eq!(read.rows[0].username, "");
    }

    #[rstest]
    #[case::the_scope_is_missing(
        answer(401, r#"{"errors":[{"message":"Invalid token"}]}"#),
        "answered 401"
    )]
    #[case::nobody_serves_it(answer(404, "<html>"), "answered 404")]
    #[case::something_in_front_forbids_it(answer(403, "<html>"), "answered 403")]
    #[case::a_field_is_gone(
        answer(
            200,
            r#"{"errors":[{"message":"Field 'state' doesn't exist on type 'UserCore'"}]}"#
        ),
        "Field 'state' doesn't exist"
    )]
    #[case::no_administrator(
        told(
            r#"{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]}"#,
            r#"{"customAttributes":null}"#
        ),
        "does not show what an administrator sees"
    )]
    #[case::the_own_account_is_hidden(
        told(
            r#"{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]}"#,
            "null"
        ),
        "shows no accounts"
    )]
    #[case::nothing(answer(200, r#"{"data":null}"#), "shows no accounts")]
    fn what_does_not_serve_is_no_outage(#[case] answer: UpstreamResponse, #[case] why: &str) {
        let LightUnavailable(told) = page(&answer, None).unwrap().unwrap_err();
        assert!(told.contains(why), "{told}");
    }

    #[rstest]
    #[case::down(answer(502, "{}"))]
    #[case::throttled(answer(429, "{}"))]
    #[case::cut(answer(200, r#"{"data":{"users":{"pageInfo""#))]
    #[case::no_number(told(
        r#"{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[{"id":"gid://gitlab/Project/7","username":"a","state":"active","lastActivityOn":null}]}"#,
        OWN
    ))]
    #[case::it_goes_round(told(
        r#"{"pageInfo":{"hasNextPage":true,"endCursor":"here"},"nodes":[]}"#,
        OWN
    ))]
    #[case::no_way_on(told(
        r#"{"pageInfo":{"hasNextPage":true,"endCursor":null},"nodes":[]}"#,
        OWN
    ))]
    fn what_may_pass_is_a_fault(#[case] answer: UpstreamResponse) {
        page(&answer, Some("here")).unwrap_err();
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in ".{0,300}", status in 100_u16..600) {
            let _ = page(&answer(status, &body), None);
        }
    }
}
