//! The API gateway's token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use lookup_gitlab_sync::{
    config::LookupCredentials,
    directory::{Directory, Lookup, Standing},
    gate::ErrorKind,
    upstream::{Transport, TransportError, UpstreamResponse},
};
use reqwest::{Request, StatusCode, header::HeaderMap};
use rstest::rstest;

use super::{
    failures::assert_safe,
    lookup::{crsids, people, person},
    memory::gateway_config,
    server::{Asked, Reply, Server},
};

const TOKEN: &str = "/oauth2/v1/token";

fn granted(token: &str) -> Reply {
    Reply::json(
        200,
        format!(r#"{{"access_token":"{token}","expires_in":3599,"token_type":"Bearer"}}"#),
    )
}

fn token_calls(server: &Server) -> Vec<Asked> {
    server
        .asked()
        .into_iter()
        .filter(|asked| asked.target == TOKEN)
        .collect()
}

fn by_token(
    token: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    valid: &'static str,
) -> impl Fn(&Asked) -> Reply {
    move |asked| match asked.target.as_str() {
        TOKEN => token(asked),
        _ if asked.header("authorization") == format!("Bearer {valid}") => {
            people(&[person("abcd1", true)])
        }
        _ => Reply::json(
            401,
            r#"{"fault":{"detail":{"errorcode":"keymanagement.service.invalid_access_token"}}}"#,
        ),
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_with_the_clients_credentials_and_used_by_all() {
    let slow = |_: &Asked| granted("t1").after(Duration::from_millis(100));
    let server = Server::start(by_token(slow, "t1")).await;
    let mut config = gateway_config(&server.url);
    if let LookupCredentials::Gateway { scope, .. } = &mut config.credentials {
        *scope = Some("https://api.example/lookup".to_owned());
    }
    let lookup = Lookup::new(&config).unwrap();
    let abcd1 = crsids(&["abcd1"]);
    for answer in join_all((0..8).map(|_| lookup.standings(&abcd1))).await {
        assert_eq!(
            answer.unwrap().told().values().collect::<Vec<_>>(),
            [&Standing::Cancelled]
        );
    }
    let [call] = &token_calls(&server)[..] else {
        panic!("one token call")
    };
    assert_eq!(call.method, "POST");
    assert_eq!(
        call.header("authorization"),
        "Basic YS1jbGllbnQ6c2VjcmV0LXNlY3JldA=="
    );
    assert_eq!(
        call.body,
        "grant_type=client_credentials&scope=https%3A%2F%2Fapi.example%2Flookup"
    );
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_the_call_repeated() {
    let grants = AtomicUsize::new(0);
    let token = move |_: &Asked| {
        granted(if grants.fetch_add(1, Ordering::SeqCst) == 0 {
            "old"
        } else {
            "new"
        })
    };
    let server = Server::start(by_token(token, "new")).await;
    let lookup = Lookup::new(&gateway_config(&server.url)).unwrap();
    assert_eq!(
        lookup
            .standings(&crsids(&["abcd1"]))
            .await
            .unwrap()
            .told()
            .len(),
        1
    );
    assert_eq!(token_calls(&server).len(), 2);
    assert!(
        lookup
            .gates()
            .iter()
            .all(|gate| gate.closed_because().is_none())
    );
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_means_refused_credentials() {
    let server = Server::start(by_token(|_| granted("never-right"), "other")).await;
    let lookup = Lookup::new(&gateway_config(&server.url)).unwrap();
    let error = lookup.standings(&crsids(&["abcd1"])).await.unwrap_err();
    assert!(error.credentials_refused());
    assert_eq!(
        token_calls(&server).len(),
        2,
        "one refresh, not a loop of them"
    );
    insta::assert_snapshot!(error, @"Lookup answered 401 (keymanagement.service.invalid_access_token) (list_people): check LOOKUP_CLIENT_ID and LOOKUP_CLIENT_SECRET: mistyped, expired or revoked?");
    assert!(lookup.gates()[0].closed_because().is_some());
}

#[rstest]
#[case::refused(
    Reply::json(401, r#"{"error":"invalid_client secret"}"#),
    ErrorKind::Unauthenticated,
    1
)]
#[case::refused_as_oauth_says(
    Reply::json(400, r#"{"error":"invalid_client"}"#),
    ErrorKind::Unauthenticated,
    1
)]
#[case::a_page(Reply::html(200), ErrorKind::Unreadable, 2)]
#[case::no_token(Reply::json(200, r#"{"expires_in":3599}"#), ErrorKind::Unreadable, 2)]
#[case::an_empty_token(Reply::json(200, r#"{"access_token":""}"#), ErrorKind::Unreadable, 2)]
#[case::a_token_no_header_carries(
    Reply::json(200, r#"{"access_token":"secret\nsecret"}"#),
    ErrorKind::Unreadable,
    2
)]
#[case::down(Reply::html(503), ErrorKind::Unavailable, 2)]
#[case::login(Reply::html(302), ErrorKind::Redirected, 1)]
#[tokio::test]
async fn a_token_that_is_not_granted_is_told_as_such(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
    #[case] attempts: usize,
) {
    let server = Server::always(reply).await;
    let lookup = Lookup::new(&gateway_config(&server.url)).unwrap();
    let error = lookup.standings(&crsids(&["abcd1"])).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("Lookup token endpoint answered"),
        "{error}"
    );
    assert_safe(&error);
    assert_eq!(
        server.asked().len(),
        attempts,
        "nothing but the token endpoint is asked"
    );
}

/// The life of a token under virtual time: how many are fetched over five minutes of a call each
/// second.
async fn tokens_in_five_minutes(grant: &'static str) -> usize {
    #[derive(Debug)]
    struct Gateway(&'static str, AtomicUsize);
    impl Transport for Gateway {
        fn send(
            &self,
            request: Request,
        ) -> futures::future::BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
            let body = if request.url().path() == TOKEN {
                self.1.fetch_add(1, Ordering::SeqCst);
                self.0
            } else {
                r#"{"result":{"value":1}}"#
            };
            Box::pin(async move {
                let mut headers = HeaderMap::new();
                headers.insert("content-type", "application/json".parse().unwrap());
                Ok(UpstreamResponse {
                    status: StatusCode::OK,
                    headers,
                    body: body.into(),
                })
            })
        }
    }
    let gateway = Arc::new(Gateway(grant, AtomicUsize::new(0)));
    let transport: Arc<dyn Transport> = Arc::<Gateway>::clone(&gateway);
    let config = gateway_config(&"https://api.example.ac.uk".parse().unwrap());
    let lookup = Lookup::over(transport, &config).unwrap();
    for _ in 0..300 {
        lookup.last_transaction().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    gateway.1.load(Ordering::SeqCst)
}

#[rstest]
#[case::an_hour(r#"{"access_token":"t","expires_in":3599}"#, 1)]
#[case::a_number_renewed_20_s_early(r#"{"access_token":"t","expires_in":120}"#, 3)]
#[case::a_spelled_number(r#"{"access_token":"t","expires_in":"120"}"#, 3)]
#[case::a_minute_by_default(r#"{"access_token":"t"}"#, 8)]
#[case::a_minute_when_unreadable(r#"{"access_token":"t","expires_in":"soon"}"#, 8)]
#[case::a_very_short_life_is_not_fetched_for_every_call(
    r#"{"access_token":"t","expires_in":10}"#,
    60
)]
#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires(#[case] grant: &'static str, #[case] tokens: usize) {
    assert_eq!(tokens_in_five_minutes(grant).await, tokens);
}

#[tokio::test]
async fn no_debug_text_shows_the_clients_secret() {
    let lookup = Lookup::new(&gateway_config(
        &"https://api.example.ac.uk".parse().unwrap(),
    ))
    .unwrap();
    let text = format!("{lookup:?}");
    assert!(
        !text.contains("secret") && !text.contains("c2Vjc"),
        "{text}"
    );
}
