//! Everybody's state by GraphQL: a seventh of what the same rows cost GitLab by REST, without what
//! only REST shows (identities, sign-ins) or GraphQL shows dearly (custom attributes).

use super::{
    Client, Timed,
    client::FULL,
    graphql::{LightUnavailable, UserNode, connection, next, question},
};
use crate::upstream::{CallError, Fault, LenientValue, UpstreamResponse};

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
        let question = question("CREATED_ASC", FULL, after, own);
        self.ask_graphql("light_list_users", question, judge).await
    }
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

fn row(node: UserNode<'_>) -> Result<LightRow, Fault> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::civil::date;
    use proptest::prelude::*;
    use reqwest::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    };
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
