//! What works: a whole run, authorized call by call, and tokens that are replaced while it serves.

use std::collections::BTreeSet;

use google_cloud_googleapis::pubsub::v1::{Subscription, UpdateSubscriptionRequest};
use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topology},
};
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
    servers::{ServerSettings, SimulatedServers},
};
use testkit::wait::until;

use super::{
    google::{Google, QUOTA_PROJECT},
    service::{PROJECT, serve, succeed},
};

/// The servers, with topics and subscriptions as Terraform would have made them, and Google in
/// front of the broker.
pub struct Cloud {
    pub servers: SimulatedServers,
    pub google: Google,
}

impl Cloud {
    pub async fn with_a_cancelled_member() -> Self {
        let accounts = vec![SimulatedUser::new(42, "spqr1")];
        let people = vec![SimulatedPerson::cancelled("spqr1", "Gone")];
        let servers = SimulatedServers::of(accounts, people, ServerSettings::default())
            .await
            .unwrap();
        let host = servers.broker.as_ref().unwrap().host();
        let local = config::PubSubConfig {
            project: PROJECT.to_owned(),
            emulator_host: Some(host.clone()),
            endpoint: None,
            prefix: String::new(),
        };
        let connection = Connection::open(&local).await.unwrap();
        Topology::new(&connection).apply().await.unwrap();
        keep_dead_letters_for_31_days(&connection).await;
        let google = Google::before(&host).await;
        Self { servers, google }
    }

    /// The variables that lead to both upstreams; Pub/Sub's own are not among them.
    pub fn upstreams(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.servers.environment();
        variables.retain(|(name, _)| *name != "PUBSUB_EMULATOR_HOST");
        variables
    }
}

/// As Terraform makes them, and as no emulator has them.
async fn keep_dead_letters_for_31_days(connection: &Connection) {
    for hold in ["sync-tick-dead-hold", "user-sync-dead-hold"] {
        let subscription = Subscription {
            name: connection.names().subscription(hold),
            message_retention_duration: Some(prost_types::Duration {
                seconds: 31 * 24 * 60 * 60,
                nanos: 0,
            }),
            ..Subscription::default()
        };
        let update = UpdateSubscriptionRequest {
            subscription: Some(subscription),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["message_retention_duration".to_owned()],
            }),
        };
        let update = connection.request(update).await.unwrap();
        let mut subscriptions = connection.subscriptions();
        subscriptions.update_subscription(update).await.unwrap();
    }
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let variable = |(name, value): &'a (&'static str, String)| (*name, value.as_str());
    variables.iter().map(variable).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_goes_over_tls_with_a_token_and_the_quota_project_in_every_call() {
    let cloud = Cloud::with_a_cancelled_member().await;
    let upstreams = cloud.upstreams();
    let upstreams = borrowed(&upstreams);
    succeed(&cloud.google, &["topology", "check"], &[]).await;
    let _serving = serve(&cloud.google, &upstreams);
    succeed(&cloud.google, &["tick", "--follow"], &[]).await;
    succeed(&cloud.google, &["resync", "spqr1", "--follow"], &[]).await;
    succeed(
        &cloud.google,
        &["dead-letters", "list", "--topic", "user-sync"],
        &[],
    )
    .await;

    let state = cloud.servers.gitlab.account(42).unwrap().state;
    assert_eq!(state, UserState::Blocked);
    let seen = cloud.google.seen();
    for call in &seen {
        let token = call.authorization.as_deref().unwrap_or_default();
        assert!(token.starts_with("Bearer token-"), "{call:?}");
        assert_eq!(
            call.quota_project.as_deref(),
            Some(QUOTA_PROJECT),
            "{call:?}"
        );
    }
    let methods: BTreeSet<&str> = seen.iter().map(|call| call.method.as_str()).collect();
    for method in [
        "Publisher/GetTopic",
        "Publisher/Publish",
        "Subscriber/CreateSubscription",
        "Subscriber/DeleteSubscription",
        "Subscriber/GetSubscription",
        "Subscriber/Pull",
        "Subscriber/StreamingPull",
    ] {
        assert!(methods.contains(method), "{method} in {methods:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_project_can_be_named_in_the_environment() {
    let cloud = Cloud::with_a_cancelled_member().await;
    let variables = [("GOOGLE_CLOUD_QUOTA_PROJECT", "another-project")];
    succeed(&cloud.google, &["topology", "check"], &variables).await;
    let seen = cloud.google.seen();
    assert!(!seen.is_empty());
    for call in seen {
        assert_eq!(call.quota_project.as_deref(), Some("another-project"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_while_the_service_runs() {
    let cloud = Cloud::with_a_cancelled_member().await;
    // Shorter than the slack with which the library replaces tokens: it asks again every 10 s.
    cloud.google.shorten_tokens(30, 2);
    let upstreams = cloud.upstreams();
    let mut serving = serve(&cloud.google, &borrowed(&upstreams));
    until("three tokens", async || cloud.google.tokens_issued() >= 3).await;
    assert!(serving.try_wait().unwrap().is_none(), "it still runs");
    // The tick itself asks for one token more; the first one of the service is not accepted any
    // more.
    succeed(&cloud.google, &["tick", "--follow"], &[]).await;
    assert_eq!(
        cloud.servers.gitlab.account(42).unwrap().state,
        UserState::Blocked
    );
    let published = |token: &str| {
        let bearer = format!("Bearer {token}");
        let seen = cloud.google.seen();
        seen.iter().any(|call| {
            call.method == "Publisher/Publish"
                && call.authorization.as_deref() == Some(bearer.as_str())
        })
    };
    assert!(
        !published("token-0"),
        "the service publishes with a newer one"
    );
    assert!(
        published("token-2") || published("token-3") || published("token-4"),
        "{:?}",
        cloud.google.seen()
    );
}
