//! Makes the gRPC server stubs of the broker.
//!
//! The message types come ready-made from `google-cloud-googleapis`, which holds clients only. The
//! list below is the whole of `google.pubsub.v1`, so that what the broker does not offer can be
//! refused by name.

use tonic_build::manual::{Builder, Method, Service};

const PUBLISHER: &[(&str, &str, &str)] = &[
    ("CreateTopic", "Topic", "Topic"),
    ("UpdateTopic", "UpdateTopicRequest", "Topic"),
    ("Publish", "PublishRequest", "PublishResponse"),
    ("GetTopic", "GetTopicRequest", "Topic"),
    ("ListTopics", "ListTopicsRequest", "ListTopicsResponse"),
    (
        "ListTopicSubscriptions",
        "ListTopicSubscriptionsRequest",
        "ListTopicSubscriptionsResponse",
    ),
    (
        "ListTopicSnapshots",
        "ListTopicSnapshotsRequest",
        "ListTopicSnapshotsResponse",
    ),
    ("DeleteTopic", "DeleteTopicRequest", EMPTY),
    (
        "DetachSubscription",
        "DetachSubscriptionRequest",
        "DetachSubscriptionResponse",
    ),
];

const SUBSCRIBER: &[(&str, &str, &str)] = &[
    ("CreateSubscription", "Subscription", "Subscription"),
    ("GetSubscription", "GetSubscriptionRequest", "Subscription"),
    (
        "UpdateSubscription",
        "UpdateSubscriptionRequest",
        "Subscription",
    ),
    (
        "ListSubscriptions",
        "ListSubscriptionsRequest",
        "ListSubscriptionsResponse",
    ),
    ("DeleteSubscription", "DeleteSubscriptionRequest", EMPTY),
    ("ModifyAckDeadline", "ModifyAckDeadlineRequest", EMPTY),
    ("Acknowledge", "AcknowledgeRequest", EMPTY),
    ("Pull", "PullRequest", "PullResponse"),
    (
        STREAMING_PULL,
        "StreamingPullRequest",
        "StreamingPullResponse",
    ),
    ("ModifyPushConfig", "ModifyPushConfigRequest", EMPTY),
    ("GetSnapshot", "GetSnapshotRequest", "Snapshot"),
    (
        "ListSnapshots",
        "ListSnapshotsRequest",
        "ListSnapshotsResponse",
    ),
    ("CreateSnapshot", "CreateSnapshotRequest", "Snapshot"),
    ("UpdateSnapshot", "UpdateSnapshotRequest", "Snapshot"),
    ("DeleteSnapshot", "DeleteSnapshotRequest", EMPTY),
    ("Seek", "SeekRequest", "SeekResponse"),
];

const SCHEMA_SERVICE: &[(&str, &str, &str)] = &[
    ("CreateSchema", "CreateSchemaRequest", "Schema"),
    ("GetSchema", "GetSchemaRequest", "Schema"),
    ("ListSchemas", "ListSchemasRequest", "ListSchemasResponse"),
    (
        "ListSchemaRevisions",
        "ListSchemaRevisionsRequest",
        "ListSchemaRevisionsResponse",
    ),
    ("CommitSchema", "CommitSchemaRequest", "Schema"),
    ("RollbackSchema", "RollbackSchemaRequest", "Schema"),
    (
        "DeleteSchemaRevision",
        "DeleteSchemaRevisionRequest",
        "Schema",
    ),
    ("DeleteSchema", "DeleteSchemaRequest", EMPTY),
    (
        "ValidateSchema",
        "ValidateSchemaRequest",
        "ValidateSchemaResponse",
    ),
    (
        "ValidateMessage",
        "ValidateMessageRequest",
        "ValidateMessageResponse",
    ),
];

const EMPTY: &str = "";
const STREAMING_PULL: &str = "StreamingPull";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let services = [
        service("Publisher", PUBLISHER),
        service("Subscriber", SUBSCRIBER),
        service("SchemaService", SCHEMA_SERVICE),
    ];
    Builder::new().build_client(false).compile(&services);
}

fn service(name: &str, methods: &[(&str, &str, &str)]) -> Service {
    methods
        .iter()
        .fold(
            Service::builder().name(name).package("google.pubsub.v1"),
            |service, method| service.method(self::method(*method)),
        )
        .build()
}

fn method((name, input, output): (&str, &str, &str)) -> Method {
    let method = Method::builder()
        .name(snake_case(name))
        .route_name(name)
        .input_type(message(input))
        .output_type(message(output))
        .codec_path("tonic_prost::ProstCodec");
    if name == STREAMING_PULL {
        method.client_streaming().server_streaming().build()
    } else {
        method.build()
    }
}

/// The path of a message's Rust type. An empty reply needs a name of its own: the generator takes
/// paths, and `()` is none.
fn message(name: &str) -> String {
    if name == EMPTY {
        "crate::stubs::Empty".to_owned()
    } else {
        format!("google_cloud_googleapis::pubsub::v1::{name}")
    }
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
