//! The service's own schemas on the broker's topics: what a person publishes by hand.

use google_cloud_googleapis::pubsub::v1::{Encoding, Schema, schema::Type};
use pubsub_emulator::{Broker, BrokerSettings};
use tonic::Code;

use crate::schemas::{client, create_request, topic};
use crate::server::{Kind, Server, message};

/// A topic bound to one of `schemas/*.proto`.
async fn bound(server: &Server, file: &str) -> String {
    let folder = testkit::project::root().join("schemas");
    let definition = std::fs::read_to_string(folder.join(format!("{file}.proto"))).unwrap();
    let schema = Schema {
        r#type: Type::ProtocolBuffer.into(),
        definition,
        ..Schema::default()
    };
    let request = create_request(server, file, schema);
    let created = client(server).create_schema(request).await.unwrap();
    topic(server, &created.into_inner().name, Encoding::Json)
        .await
        .unwrap()
}

/// Topic and body of each `gcloud pubsub topics publish` in README.md.
fn examples_of_the_readme() -> Vec<(String, String)> {
    let path = testkit::project::root().join("README.md");
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("gcloud pubsub topics publish "))
        .map(|command| {
            let (topic, message) = command.split_once(" --message='").unwrap();
            (
                topic.to_owned(),
                message.strip_suffix('\'').unwrap().to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_body_of_the_readme_is_accepted_by_the_topics_schema() {
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    let server = Server::connect(&broker.host(), Kind::Broker).await;
    let (tick, user) = (
        bound(&server, "sync_tick").await,
        bound(&server, "user_sync").await,
    );
    let examples = examples_of_the_readme();
    assert!(examples.len() >= 5, "{examples:?}");
    for (name, body) in examples {
        let topic = match name.as_str() {
            "sync-tick" => &tick,
            "user-sync" => &user,
            _ => panic!("the README publishes to {name}"),
        };
        if let Err(refusal) = server.try_publish(topic, vec![message(&body)]).await {
            panic!("{body}: {}", refusal.message());
        }
    }
}

#[rstest::rstest]
#[case::a_typo("user_sync", r#"{"crisd":"spqr1"}"#, "crisd")]
#[case::an_unknown_field("user_sync", r#"{"crsid":"spqr1","colour":"blue"}"#, "colour")]
#[case::another_topics_field("user_sync", r#"{"max_block_percent":12}"#, "max_block_percent")]
#[case::a_number_for_a_text("user_sync", r#"{"username":7}"#, "string")]
#[case::a_text_for_a_number("user_sync", r#"{"gitlab_user_id":"spqr1"}"#, "")]
#[case::a_broken_id("user_sync", r#"{"gitlab_user_id":4.5}"#, "")]
#[case::a_negative_id("user_sync", r#"{"gitlab_user_id":-7}"#, "")]
#[case::a_quoted_truth("user_sync", r#"{"crsid":"spqr1","dry_run":"true"}"#, "bool")]
#[case::a_percent_sign("sync_tick", r#"{"max_block_percent":"12%"}"#, "")]
#[case::a_number_for_a_truth("sync_tick", r#"{"dry_run":1}"#, "bool")]
#[case::a_list("user_sync", "[{\"crsid\":\"spqr1\"}]", "")]
#[case::no_quotes("user_sync", "{crsid:spqr1}", "")]
#[case::nothing_at_all("sync_tick", "", "")]
#[case::two_bodies("sync_tick", "{}{}", "trailing")]
#[tokio::test]
async fn a_common_mistake_is_refused_when_it_is_published_with_the_reason(
    #[case] schema: &str,
    #[case] body: &str,
    #[case] named: &str,
) {
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    let server = Server::connect(&broker.host(), Kind::Broker).await;
    let topic = bound(&server, schema).await;
    let published = crate::server::with(message(body), "by", "hand");
    let refusal = server
        .try_publish(&topic, vec![published])
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    let why = refusal.message();
    assert!(
        why.contains("schema validation") && why.contains(named),
        "{why}"
    );
}
