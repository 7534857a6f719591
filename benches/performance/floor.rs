//! What nobody can do with less: the sweep's calls without reading the answers, and a consumer that
//! does no work.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::{
    client::{BasePublisher, Subscriber},
    model::Message,
};
use jiff::Timestamp;
use lookup_gitlab_sync::messaging::wire::{SyncOutcome, UserRequest};

use crate::{calls::number, servers::Servers};

/// Calls in flight to Lookup, and people in one, as the service has by default.
const IN_FLIGHT: usize = 8;
const BATCH: usize = 200;
/// Messages leased at once, as the service has by default.
const OUTSTANDING: i64 = 1_000;
/// Messages that are consumed before the time is taken.
pub const WARM_UP: usize = 5_000;

/// Makes every call of a sweep and drops the answers.
pub async fn sweep(servers: &Servers, people: &[String]) -> Duration {
    let variable = |name: &str| {
        let found = servers.environment.iter().find(|(key, _)| key == name);
        found.unwrap().1.clone()
    };
    let client = reqwest::Client::new();
    let began = Instant::now();
    let gitlab = async |path: &str| {
        let call = client
            .get(format!("{}/api/v4/{path}", servers.gitlab_url()))
            .header("private-token", variable("GITLAB_TOKEN"));
        let answer = call.send().await.unwrap().error_for_status().unwrap();
        let next = answer.headers().get("x-next-cursor").cloned();
        answer.bytes().await.unwrap();
        next.map(|next| next.to_str().unwrap().to_owned())
            .filter(|next| !next.is_empty())
    };
    gitlab("user").await;
    let listing = "users?pagination=keyset&order_by=id&sort=asc&per_page=100&humans=true&with_custom_attributes=true";
    let mut next = gitlab(listing).await;
    while let Some(cursor) = next {
        next = gitlab(&format!("{listing}&cursor={cursor}")).await;
    }
    let token: serde_json::Value = client
        .post(variable("LOOKUP_TOKEN_URL"))
        .basic_auth(
            variable("LOOKUP_CLIENT_ID"),
            Some(variable("LOOKUP_CLIENT_SECRET")),
        )
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = token["access_token"].as_str().unwrap();
    let lookup = variable("LOOKUP_URL");
    stream::iter(people.chunks(BATCH))
        .for_each_concurrent(IN_FLIGHT, async |batch| {
            let call = client
                .get(format!("{lookup}/person/list?crsids={}", batch.join("%2C")))
                .header("accept", "application/json")
                .bearer_auth(token);
            let answer = call.send().await.unwrap().error_for_status().unwrap();
            answer.bytes().await.unwrap();
        })
        .await;
    began.elapsed()
}

/// Decodes, publishes one outcome and acks, so many messages, on the client and with the leases
/// that the service has. Like the service it acks without waiting for the outcome's confirmation.
/// Messages a second.
pub async fn consume(host: &str, messages: usize) -> f64 {
    let endpoint = format!("http://{host}");
    let credentials = anonymous::Builder::new().build();
    let publisher = BasePublisher::builder()
        .with_endpoint(&endpoint)
        .with_credentials(credentials.clone())
        .build()
        .await
        .unwrap()
        .publisher("projects/simulated/topics/sync-outcome")
        .build();
    let subscriber = Subscriber::builder()
        .with_endpoint(&endpoint)
        .with_credentials(credentials)
        .build()
        .await
        .unwrap();
    let mut stream = subscriber
        .subscribe("projects/simulated/subscriptions/user-sync-worker")
        .set_max_outstanding_messages(OUTSTANDING)
        .build();
    let mut began = Instant::now();
    for number in 0..messages {
        if number == WARM_UP {
            began = Instant::now();
        }
        let (message, lease) = stream.next().await.unwrap().unwrap();
        let request = UserRequest::decode(&message.data).unwrap();
        drop(publisher.publish(outcome(
            message.message_id,
            &request,
            message.attributes.into_iter().collect(),
        )));
        lease.ack();
    }
    let rate = number(messages.saturating_sub(WARM_UP)) / began.elapsed().as_secs_f64();
    publisher.flush().await;
    rate
}

/// The record that the service publishes of such a message.
fn outcome(
    message_id: String,
    request: &UserRequest,
    attributes: BTreeMap<String, String>,
) -> Message {
    let outcome = SyncOutcome {
        kind: Some("user".to_owned()),
        run: attributes.get("run").cloned(),
        cause: Some(request.cause.as_str().to_owned()),
        stage: Some("user-worker".to_owned()),
        message_id: Some(message_id),
        gitlab_user_id: Some(1),
        decision: Some("keep".to_owned()),
        reason: Some("current".to_owned()),
        result: Some("unchanged".to_owned()),
        dry_run: Some(false),
        delivery_attempt: Some(1),
        milliseconds: Some(0),
        calls: Some(0),
        at: Some(Timestamp::now().to_string()),
        ..SyncOutcome::default()
    };
    Message::new()
        .set_data(serde_json::to_vec(&outcome).unwrap())
        .set_attributes(attributes)
}
