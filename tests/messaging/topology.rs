//! Topics and subscriptions: made, compared, and asked for before serving.

use google_cloud_googleapis::pubsub::v1::{
    DeleteSubscriptionRequest, DeleteTopicRequest, GetSubscriptionRequest,
    UpdateSubscriptionRequest,
};
use lookup_gitlab_sync::messaging::{Connection, Stage, Topology, topology::Difference};

use crate::pubsub::pubsub_host;

fn lines(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(Difference::to_string).collect()
}

async fn delete_subscription(connection: &Connection, name: &str) {
    let request = connection
        .request(DeleteSubscriptionRequest {
            subscription: connection.names().subscription(name),
        })
        .await
        .unwrap();
    connection
        .subscriptions()
        .delete_subscription(request)
        .await
        .unwrap();
}

async fn delete_topic(connection: &Connection, name: &str) {
    let request = connection
        .request(DeleteTopicRequest {
            topic: connection.names().topic(name),
        })
        .await
        .unwrap();
    connection.topics().delete_topic(request).await.unwrap();
}

#[tokio::test]
async fn apply_makes_everything_once_and_check_finds_nothing_after() {
    let server = pubsub_host().await;
    let topology = Topology::new(&server.connect().await);

    let missing = topology.check().await.unwrap();
    assert_eq!(missing.len(), 10, "{:?}", lines(&missing));

    let first = topology.apply().await.unwrap();
    insta::assert_debug_snapshot!(first, @r#"
    Applied {
        created: [
            "t1-sync-outcome",
            "t1-sync-tick",
            "t1-sync-tick-dead",
            "t1-user-sync",
            "t1-user-sync-dead",
            "t1-sync-tick-fan-out",
            "t1-sync-tick-dead-hold",
            "t1-user-sync-worker",
            "t1-user-sync-dead-hold",
            "t1-sync-outcome-history",
        ],
        updated: [],
        remaining: [],
    }
    "#);

    let second = topology.apply().await.unwrap();
    assert!(second.created.is_empty() && second.updated.is_empty());
    assert_eq!(lines(&topology.check().await.unwrap()), [""; 0]);
}

#[tokio::test]
async fn check_names_each_difference_and_apply_corrects_it() {
    let server = pubsub_host().await;
    let connection = server.connect().await;
    let topology = Topology::new(&connection);
    topology.apply().await.unwrap();

    let request = connection
        .request(GetSubscriptionRequest {
            subscription: connection.names().subscription("user-sync-worker"),
        })
        .await
        .unwrap();
    let mut subscription = connection
        .subscriptions()
        .get_subscription(request)
        .await
        .unwrap()
        .into_inner();
    subscription.ack_deadline_seconds = 20;
    let request = connection
        .request(UpdateSubscriptionRequest {
            subscription: Some(subscription),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["ack_deadline_seconds".to_owned()],
            }),
        })
        .await
        .unwrap();
    connection
        .subscriptions()
        .update_subscription(request)
        .await
        .unwrap();

    assert_eq!(
        lines(&topology.check().await.unwrap()),
        ["subscription t1-user-sync-worker: ack_deadline_seconds is 20, expected 60"]
    );
    // Slower than it should be is no reason not to serve.
    topology.check_stage(Stage::UserWorker).await.unwrap();

    let applied = topology.apply().await.unwrap();
    assert_eq!(applied.updated, ["t1-user-sync-worker"]);
    assert_eq!(lines(&applied.remaining), [""; 0]);
}

#[tokio::test]
async fn a_stage_does_not_start_where_messages_would_be_lost() {
    let server = pubsub_host().await;
    let connection = server.connect().await;
    let topology = Topology::new(&connection);
    topology.apply().await.unwrap();
    for stage in Stage::USERS {
        topology.check_stage(stage).await.unwrap();
    }

    delete_subscription(&connection, "user-sync-dead-hold").await;
    let refused = topology
        .check_stage(Stage::UserWorker)
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "stage user-worker does not start: subscription t1-user-sync-dead-hold: missing; \
         run `lookup-gitlab-sync topology apply`"
    );

    delete_topic(&connection, "user-sync-dead").await;
    let refused = topology
        .check_stage(Stage::UserWorker)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("topic t1-user-sync-dead: missing"),
        "{refused}"
    );

    topology.apply().await.unwrap();
    topology.check_stage(Stage::FanOut).await.unwrap();
    // Without it the fan-out's messages would go nowhere, and the tick be acked.
    delete_subscription(&connection, "user-sync-worker").await;
    let refused = topology
        .check_stage(Stage::FanOut)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("subscription t1-user-sync-worker: missing"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_subscription_whose_topic_was_deleted_is_told_apart() {
    let server = pubsub_host().await;
    let connection = server.connect().await;
    let topology = Topology::new(&connection);
    topology.apply().await.unwrap();
    delete_topic(&connection, "sync-tick-dead").await;
    let applied = topology.apply().await.unwrap();
    assert_eq!(applied.created, ["t1-sync-tick-dead"]);
    // The topic is back, but what holds its dead letters hangs on the one that is gone.
    assert_eq!(
        lines(&applied.remaining),
        [
            "subscription t1-sync-tick-dead-hold: topic is _deleted-topic_, expected t1-sync-tick-dead"
        ]
    );
    assert!(topology.check_stage(Stage::FanOut).await.is_err());
}

#[tokio::test]
async fn the_namespace_pipeline_has_its_topic_only_where_it_is_wanted() {
    let server = pubsub_host().await;
    let connection = server.connect().await;
    let topology = Topology::new(&connection);
    topology.apply().await.unwrap();
    let refused = topology.check_stage(Stage::NamespaceWorker).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("topic t1-namespace-sync: missing")
    );

    let both = topology.clone().with_namespaces(true);
    assert_eq!(both.check().await.unwrap().len(), 4);
    let applied = both.apply().await.unwrap();
    assert_eq!(
        applied.created,
        [
            "t1-namespace-sync",
            "t1-namespace-sync-dead",
            "t1-namespace-sync-worker",
            "t1-namespace-sync-dead-hold",
        ]
    );
    both.check_stage(Stage::NamespaceWorker).await.unwrap();
    assert_eq!(lines(&topology.check().await.unwrap()), [""; 0]);
}
