//! The portal over HTTP, and its keys as the provisioning API reads them.

use std::time::Duration;

use jiff::Timestamp;
use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topic, Topology},
    namespaces::{
        ledger::Ledger,
        portal::{PortalApi, recorder::SyncRecorder, signing_keys::SigningKeys},
        provisioning,
    },
};
use pubsub_emulator::{Broker, BrokerSettings};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::postgres::TestDatabase;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    key_files::KeyFiles,
    worker_fixture::{bought, settings},
};

struct Counter {
    address: String,
    connection: Connection,
    broker: Broker,
    ledger: Ledger,
    database: TestDatabase,
}

/// A portal with these keys, the first of which signs; its topic is there only if `prepared`.
async fn counter(keys: &[&KeyFiles], prepared: bool) -> (Counter, SigningKeys) {
    let database = TestDatabase::create().await;
    let ledger = Ledger::open(&settings(&database.url)).await.unwrap();
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    let pubsub = config::PubSubConfig {
        project: "test-project".to_owned(),
        emulator_host: Some(broker.host()),
        endpoint: None,
        prefix: String::new(),
    };
    let connection = Connection::open(&pubsub).await.unwrap();
    if prepared {
        prepare(&connection).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let others: Vec<_> = keys[1..].iter().map(|key| key.public()).collect();
    let keys = SigningKeys::load(&address.parse().unwrap(), &keys[0].private(), &others).unwrap();
    let publisher = connection.publisher(Topic::NamespaceSync).await.unwrap();
    let recorder = SyncRecorder::new(ledger.clone(), publisher);
    let portal = PortalApi::new(recorder, keys.clone(), &"open-sesame".into()).unwrap();
    tokio::spawn(async move { axum::serve(listener, portal.router()).await });
    let counter = Counter {
        address,
        connection,
        broker,
        ledger,
        database,
    };
    (counter, keys)
}

async fn prepare(connection: &Connection) {
    let topology = Topology::new(connection).with_namespaces(true);
    topology.apply().await.unwrap();
}

impl Counter {
    async fn post(&self, id: &str, authorization: Option<&str>, body: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/namespaces/{id}/syncs", self.address);
        let mut request = reqwest::Client::new()
            .post(url)
            .header("x-requested-by", "service desk")
            .body(body.to_owned());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    fn published(&self) -> u64 {
        let topic = "projects/test-project/topics/namespace-sync";
        self.broker.published(topic).unwrap_or(0)
    }
}

const BEARER: Option<&str> = Some("Bearer open-sesame");

#[tokio::test]
async fn new_content_is_201_and_the_same_is_200_and_both_are_published() {
    let (counter, _) = counter(&[&KeyFiles::new()], true).await;
    let document = bought(30).to_string();
    let (status, first) = counter.post("42", BEARER, &document).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(
        (&first["namespace_id"], &first["changed"]),
        (&json!(42), &json!(true))
    );
    let (status, again) = counter.post("42", BEARER, &document).await;
    assert_eq!((status, &again["changed"]), (StatusCode::OK, &json!(false)));
    assert_eq!(first["id"], again["id"]);
    assert_eq!(counter.published(), 2);
    let history = counter
        .ledger
        .history(42, 10, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(history[0].requests.len(), 2);
    assert_eq!(
        history[0].requests[1].requested_by.as_deref(),
        Some("service desk")
    );
}

#[tokio::test]
async fn without_the_token_nothing_is_recorded() {
    let (counter, _) = counter(&[&KeyFiles::new()], true).await;
    let document = bought(30).to_string();
    for authorization in [
        None,
        Some("Bearer open-sesam"),
        Some("Bearer open-sesame "),
        Some("Bearer "),
        Some("open-sesame"),
        Some("Basic open-sesame"),
    ] {
        let (status, body) = counter.post("42", authorization, &document).await;
        // A header's outer white space is no part of it.
        if authorization == Some("Bearer open-sesame ") {
            assert_eq!(status, 201);
        } else {
            assert_eq!(
                (status, body),
                (
                    StatusCode::UNAUTHORIZED,
                    json!({ "message": "401 Unauthorized" })
                ),
                "{authorization:?}"
            );
        }
    }
    assert_eq!(counter.published(), 1);
}

#[tokio::test]
async fn what_is_no_document_or_no_namespace_is_400_and_names_the_path() {
    let (counter, _) = counter(&[&KeyFiles::new()], true).await;
    let document = bought(30).to_string();
    for (id, body, said) in [
        ("42", "{}", "provision is missing"),
        (
            "42",
            r#"{"provision":{"storage":{"additional_purchased_storage_size":"9"}}}"#,
            "provision[storage][additional_purchased_storage_size] is \"9\"; allowed: a whole number up to 9223372036854775807, without quotes, or null",
        ),
        (
            "0",
            &document,
            "id is invalid: expected GitLab's namespace id, from 1",
        ),
        (
            "-1",
            &document,
            "id is invalid: expected GitLab's namespace id, from 1",
        ),
        (
            "group",
            &document,
            "id is invalid: expected GitLab's namespace id, from 1",
        ),
        (
            "9223372036854775808",
            &document,
            "id is invalid: expected GitLab's namespace id, from 1",
        ),
        (
            "%ff",
            &document,
            "id is invalid: expected GitLab's namespace id, from 1",
        ),
    ] {
        let (status, answer) = counter.post(id, BEARER, body).await;
        assert_eq!(
            (status, answer),
            (StatusCode::BAD_REQUEST, json!({ "error": said })),
            "{id} {body}"
        );
    }
    let (status, answer) = counter.post("42", BEARER, &"x".repeat(3 << 20)).await;
    assert_eq!(
        (status, answer),
        (
            StatusCode::BAD_REQUEST,
            json!({ "error": "provision is too large; allowed: 1048576 bytes" })
        )
    );
    assert_eq!(counter.published(), 0);
}

#[tokio::test]
async fn where_the_message_is_not_published_the_answer_is_503_and_repeating_mends_it() {
    let (counter, _) = counter(&[&KeyFiles::new()], false).await;
    let document = bought(30).to_string();
    let (status, _) = counter.post("42", BEARER, &document).await;
    assert_eq!(status, 503);
    prepare(&counter.connection).await;
    let (status, _) = counter.post("42", BEARER, &document).await;
    assert_eq!((status, counter.published()), (StatusCode::OK, 1));
}

/// What the provisioning API at its own port, which asks `portal` for its keys, says to a token.
async fn said_to(counter: &Counter, token: &str) -> StatusCode {
    let settings = provisioning::ProvisioningSettings::new(
        settings(&counter.database.url),
        counter.address.parse::<Url>().unwrap(),
    );
    let state = provisioning::ProvisioningState::open(settings)
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let _serving = stop.clone().drop_guard();
    tokio::spawn(provisioning::serve(
        state,
        listener,
        stop,
        Duration::from_secs(5),
    ));
    let url =
        format!("http://{address}/api/v4/internal/gitlab_subscriptions/namespaces/42/provision");
    let request = reqwest::Client::new()
        .post(url)
        .header("x-customers-dot-internal-token", token);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn tokens_of_the_signing_key_and_of_a_published_one_are_good_and_of_no_other() {
    let (new, old, strange) = (KeyFiles::new(), KeyFiles::new(), KeyFiles::new());
    let (counter, keys) = counter(&[&new, &old], true).await;
    let portal = counter.address.parse().unwrap();
    let of = |key: &KeyFiles| SigningKeys::load(&portal, &key.private(), &[] as &[&str]).unwrap();
    let now = Timestamp::now();
    // 404: the token is good, and there is no such namespace.
    assert_eq!(said_to(&counter, &keys.token(now).unwrap()).await, 404);
    assert_eq!(said_to(&counter, &of(&old).token(now).unwrap()).await, 404);
    assert_eq!(
        said_to(&counter, &of(&strange).token(now).unwrap()).await,
        401
    );
    let hour = jiff::SignedDuration::from_hours(1);
    assert_eq!(
        said_to(&counter, &keys.token(now - hour).unwrap()).await,
        401
    );
}

/// GitLab has no leeway, and compares `nbf` and `iat` with its own clock.
#[test]
fn a_token_of_a_clock_that_is_a_little_ahead_is_good_at_once() {
    let key = KeyFiles::new();
    let portal = "https://portal.example.ac.uk".parse().unwrap();
    let keys = SigningKeys::load(&portal, &key.private(), &[] as &[&str]).unwrap();
    let now = Timestamp::now();
    let token = keys.token(now).unwrap();
    let claims: serde_json::Map<String, Value> = jsonwebtoken::dangerous::insecure_decode(&token)
        .unwrap()
        .claims;
    assert!(!claims.contains_key("nbf"), "{claims:?}");
    assert_eq!(claims["iat"], now.as_second() - 30);
    assert_eq!(claims["exp"], now.as_second() + 300);
}

#[tokio::test]
async fn the_discovery_document_leads_to_public_keys_alone() {
    let (new, old) = (KeyFiles::new(), KeyFiles::new());
    let (counter, _) = counter(&[&new, &old], true).await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", counter.address))
            .await
            .unwrap();
        assert_eq!(answer.headers()["cache-control"], "public, max-age=900");
        answer.json::<Value>().await.unwrap()
    };
    let discovery = get("/.well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], json!(counter.address));
    let uri = discovery["jwks_uri"].as_str().unwrap();
    let set = get(uri.strip_prefix(&counter.address).unwrap()).await;
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let names: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            names,
            ["alg", "e", "kid", "kty", "n", "use"],
            "nothing private"
        );
    }
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
}
