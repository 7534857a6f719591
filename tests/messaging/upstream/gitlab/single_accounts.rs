//! Questions about single accounts, and about the token itself.

use super::*;

/// A GitLab that knows the token's own account alone, and shows it as `own`.
fn sees(asked: &Asked, own: &Value) -> Reply {
    match asked.target.split('?').next().unwrap_or_default() {
        "/api/v4/user" => Reply::json(200, CURRENT_USER),
        "/api/v4/users/1" => Reply::json(200, own.to_string()),
        "/api/v4/users" => rows(&[]),
        _ => Reply::json(404, r#"{"message":"404 User Not Found"}"#),
    }
}

/// Without an administrator's rights blocked accounts are hidden, and every row has fewer keys.
#[tokio::test]
async fn a_token_that_does_not_see_its_own_account_as_an_administrator_is_refused_and_not_believed()
{
    let basic = json!({"id": 1, "username": "lookup-gitlab-sync", "state": "active"});
    let server = Server::start(move |asked| sees(asked, &basic)).await;
    for by_id in [true, false] {
        let client = gitlab(&server.url);
        let error = if by_id {
            client.user(42).await.map(drop).unwrap_err()
        } else {
            client
                .users_by_username("ab42")
                .await
                .map(drop)
                .unwrap_err()
        };
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        assert!(client.read_gate().closed_because().is_some());
    }
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_none_only_by_gitlabs_own_word() {
    let server = Server::start(|asked| sees(asked, &row(1))).await;
    let client = gitlab(&server.url);
    assert_eq!(client.user(42).await.unwrap(), None);
    assert_eq!(client.users_by_username("ab42").await.unwrap(), []);
    for other in [
        Reply::html(404),
        Reply::json(404, r#"{"error":"404 Not Found"}"#),
    ] {
        let server = Server::always(other).await;
        let error = gitlab(&server.url).user(42).await.unwrap_err();
        assert!(matches!(error.scope, FaultScope::Subject { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_answer_about_another_account_is_an_error() {
    let server = Server::always(Reply::json(200, row(43).to_string())).await;
    let error = gitlab(&server.url).user(42).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
}

#[tokio::test]
async fn names_and_identities_are_encoded_in_the_query() {
    let server = Server::always(rows(&[row(42)])).await;
    let client = gitlab(&server.url);
    client.users_by_username("a&humans=false#/ü").await.unwrap();
    let identity = Identity {
        provider: "saml".to_owned(),
        extern_uid: "spqr1@example.ac.uk".to_owned(),
    };
    client.users_by_identity(&identity).await.unwrap();
    let rest = "humans=true&with_custom_attributes=true&per_page=100";
    let asked = server.asked();
    assert_eq!(
        asked[0].target,
        format!("/api/v4/users?username=a%26humans%3Dfalse%23%2F%C3%BC&{rest}")
    );
    assert_eq!(
        asked[1].target,
        format!("/api/v4/users?provider=saml&extern_uid=spqr1%40example.ac.uk&{rest}")
    );
}

#[tokio::test]
async fn the_tokens_details_are_read_where_the_token_has_any() {
    let body = r#"{"id":4,"name":"x","scopes":["api","admin_mode"],"expires_at":"2027-01-31","user_id":1}"#;
    let server = Server::always(Reply::json(200, body)).await;
    let details = gitlab(&server.url).token_details().await.unwrap().unwrap();
    assert_eq!(details.scopes, ["api", "admin_mode"]);
    assert_eq!(details.expires_at, Some(jiff::civil::date(2027, 1, 31)));
    for status in [401, 403, 404] {
        let server = Server::always(Reply::json(status, r#"{"message":"…"}"#)).await;
        assert_eq!(gitlab(&server.url).token_details().await.unwrap(), None);
    }
    let server = Server::always(Reply::html(404)).await;
    assert!(
        gitlab(&server.url).token_details().await.is_err(),
        "a proxy's page says nothing of the token"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes from outside end in rows or in an error, never in a panic.
    #[test]
    fn no_body_makes_it_panic(body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        r#"\[\{("id"|"username"|"is_admin"|"custom_attributes"|"bot"):(null|1|-1|1e9|"x"|\[\]|\{\}|true)\}?\]?"#
            .prop_map(String::into_bytes),
    ]) {
        use lookup_gitlab_sync::{gitlab::Client, pause::WriteSwitch, upstream::{UpstreamResponse, Transport, TransportError}};
        #[derive(Debug)]
        struct Bytes(Vec<u8>);
        impl Transport for Bytes {
            fn send(&self, _: reqwest::Request) -> futures::future::BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
                Box::pin(async move {
                    let headers = reqwest::header::HeaderMap::from_iter([(
                        reqwest::header::CONTENT_TYPE,
                        reqwest::header::HeaderValue::from_static("application/json"),
                    )]);
                    Ok(UpstreamResponse { status: reqwest::StatusCode::OK, headers, body: self.0.clone().into() })
                })
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let url = "https://gitlab.example.ac.uk".parse().unwrap();
            let config = super::super::memory::gitlab_config(&url);
            let client = Client::over(std::sync::Arc::new(Bytes(body)), &config, Some(WriteSwitch::unwatched())).unwrap();
            let permit = client.permit(false).unwrap();
            let _ = client.users_page(None).await;
            let _ = client.block(&permit, 1).await;
            let _ = client.set_custom_attribute(&permit, 1, "k", "v").await;
        });
    }
}
