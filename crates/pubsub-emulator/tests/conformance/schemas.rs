//! Topic schemas.
//!
//! The emulator knows Avro only ("Protocol buffer support not implemented in emulator"), the broker
//! protobuf only, so each gets the same schema in its own language: one optional text, `crsid`.

use google_cloud_googleapis::pubsub::v1::schema_service_client::SchemaServiceClient;
use google_cloud_googleapis::pubsub::v1::{
    CreateSchemaRequest, DeleteSchemaRequest, Encoding, GetSchemaRequest, GetTopicRequest,
    ListSchemasRequest, Schema, SchemaSettings, SchemaView, Subscription, Topic,
    ValidateMessageRequest, ValidateSchemaRequest, schema::Type,
    validate_message_request::SchemaSpec,
};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::server::{Server, code, message, with};

const PROTOBUF: &str = "syntax = \"proto3\"; message User { optional string crsid = 1; }";
const AVRO: &str = r#"{"type":"record","name":"User","fields":[{"name":"crsid","type":"string"}]}"#;
const GOOD: &str = r#"{"crsid":"spqr1"}"#;
const TYPO: &str = r#"{"crsidd":"spqr1"}"#;

pub async fn a_schema_is_kept_and_shown_as_asked(server: Server) {
    let name = create(&server).await;
    let get = |view: SchemaView| {
        let request = GetSchemaRequest {
            name: name.clone(),
            view: view.into(),
        };
        let mut client = client(&server);
        async move { client.get_schema(request).await.unwrap().into_inner() }
    };
    let whole = get(SchemaView::Full).await;
    assert_eq!(whole.name, name);
    assert_eq!(whole.definition, schema(&server).definition);
    assert_eq!(whole.revision_id.len(), 8);
    assert!(whole.revision_create_time.is_some());
    assert_eq!(get(SchemaView::Unspecified).await, whole);
    let basic = get(SchemaView::Basic).await;
    assert_eq!(basic.definition, "");
    assert_eq!(basic.revision_id, whole.revision_id);

    let request = ListSchemasRequest {
        parent: format!("projects/{}", server.project),
        view: SchemaView::Full.into(),
        ..ListSchemasRequest::default()
    };
    let listed = client(&server).list_schemas(request).await.unwrap();
    assert_eq!(listed.into_inner().schemas, [whole]);
}

pub async fn schemas_are_refused_as_topics_are(server: Server) {
    let name = create(&server).await;
    let id = name.rsplit('/').next().unwrap().to_owned();
    let again = create_request(&server, &id, schema(&server));
    let refusal = client(&server).create_schema(again).await;
    assert_eq!(code(refusal), Code::AlreadyExists);
    let malformed = create_request(&server, "1", schema(&server));
    let refusal = client(&server).create_schema(malformed).await;
    assert_eq!(code(refusal), Code::InvalidArgument);
    let untyped = Schema {
        r#type: Type::Unspecified.into(),
        ..schema(&server)
    };
    let refusal = client(&server)
        .create_schema(create_request(&server, "untyped", untyped))
        .await;
    assert_eq!(code(refusal), Code::InvalidArgument);
    let broken = Schema {
        definition: "{".to_owned(),
        ..schema(&server)
    };
    let refusal = client(&server)
        .create_schema(create_request(&server, "broken", broken.clone()))
        .await;
    assert_eq!(code(refusal), Code::InvalidArgument);
    let request = ValidateSchemaRequest {
        parent: format!("projects/{}", server.project),
        schema: Some(broken),
    };
    assert_eq!(
        code(client(&server).validate_schema(request).await),
        Code::InvalidArgument
    );

    let nothing = server.name("schemas", "nothing");
    let request = GetSchemaRequest {
        name: nothing.clone(),
        ..GetSchemaRequest::default()
    };
    assert_eq!(
        code(client(&server).get_schema(request).await),
        Code::NotFound
    );
    assert_eq!(code(delete(&server, &nothing).await), Code::NotFound);
    assert_eq!(
        code(topic(&server, &nothing, Encoding::Json).await),
        Code::NotFound
    );
    assert_eq!(
        code(topic(&server, &name, Encoding::Unspecified).await),
        Code::InvalidArgument
    );
}

pub async fn a_message_can_be_validated_beforehand(server: Server) {
    let name = create(&server).await;
    let by_name = || SchemaSpec::Name(name.clone());
    let inline = || SchemaSpec::Schema(schema(&server));
    for spec in [by_name(), inline()] {
        validate(&server, spec, Encoding::Json, GOOD).await.unwrap();
    }
    for spec in [by_name(), inline()] {
        let refusal = validate(&server, spec, Encoding::Json, TYPO).await;
        assert_eq!(code(refusal), Code::InvalidArgument);
    }
    let refusal = validate(&server, by_name(), Encoding::Unspecified, GOOD).await;
    assert_eq!(code(refusal), Code::InvalidArgument);
    let unknown = SchemaSpec::Name(server.name("schemas", "nothing"));
    let refusal = validate(&server, unknown, Encoding::Json, GOOD).await;
    assert_eq!(code(refusal), Code::NotFound);
}

pub async fn a_topic_takes_only_what_its_schema_does_and_says_so_to_readers(server: Server) {
    let schema = create(&server).await;
    let topic = topic(&server, &schema, Encoding::Json).await.unwrap();
    let subscription = server.subscription(&topic, Subscription::default()).await;
    for bad in [TYPO, "[]", "not json", ""] {
        let batch = vec![message(GOOD), with(message(bad), "an", "attribute")];
        let refusal = server.try_publish(&topic, batch).await;
        assert_eq!(code(refusal), Code::InvalidArgument, "{bad}");
    }
    let published = with(message(GOOD), "run", "r1");
    server.publish(&topic, vec![published]).await;
    let received = server.pull_one(&subscription).await.message.unwrap();
    let attribute = |key: &str| received.attributes.get(key).map(String::as_str);
    assert_eq!(attribute("run"), Some("r1"));
    assert_eq!(attribute("googclient_schemaname"), Some(schema.as_str()));
    assert_eq!(attribute("googclient_schemaencoding"), Some("JSON"));
    assert_eq!(attribute("googclient_schemarevisionid").unwrap().len(), 8);
    assert_eq!(received.attributes.len(), 4);
    server.assert_nothing_comes(&subscription).await;
}

pub async fn a_topic_whose_schema_was_deleted_takes_nothing(server: Server) {
    let schema = create(&server).await;
    let topic = topic(&server, &schema, Encoding::Json).await.unwrap();
    delete(&server, &schema).await.unwrap();
    let request = GetTopicRequest {
        topic: topic.clone(),
    };
    let settings = server.publisher().get_topic(request).await.unwrap();
    assert_eq!(
        settings.into_inner().schema_settings.unwrap().schema,
        "_deleted-schema_"
    );
    let refusal = server.try_publish(&topic, vec![message(GOOD)]).await;
    assert_eq!(code(refusal), Code::NotFound);
}

pub fn client(server: &Server) -> SchemaServiceClient<Channel> {
    SchemaServiceClient::new(server.channel())
}

fn schema(server: &Server) -> Schema {
    let (kind, definition) = if server.is_broker() {
        (Type::ProtocolBuffer, PROTOBUF)
    } else {
        (Type::Avro, AVRO)
    };
    Schema {
        r#type: kind.into(),
        definition: definition.to_owned(),
        ..Schema::default()
    }
}

pub fn create_request(server: &Server, id: &str, schema: Schema) -> CreateSchemaRequest {
    CreateSchemaRequest {
        parent: format!("projects/{}", server.project),
        schema: Some(schema),
        schema_id: id.to_owned(),
    }
}

/// Creates the schema; its full name.
async fn create(server: &Server) -> String {
    let request = create_request(server, "user", schema(server));
    let created = client(server).create_schema(request).await.unwrap();
    created.into_inner().name
}

async fn delete(server: &Server, name: &str) -> Result<(), Status> {
    let request = DeleteSchemaRequest {
        name: name.to_owned(),
    };
    client(server).delete_schema(request).await.map(drop)
}

/// A fresh topic bound to a schema.
pub async fn topic(server: &Server, schema: &str, encoding: Encoding) -> Result<String, Status> {
    let topic = Topic {
        name: server.fresh("topics"),
        schema_settings: Some(SchemaSettings {
            schema: schema.to_owned(),
            encoding: encoding.into(),
            ..SchemaSettings::default()
        }),
        ..Topic::default()
    };
    server
        .publisher()
        .create_topic(topic)
        .await
        .map(|created| created.into_inner().name)
}

async fn validate(
    server: &Server,
    schema: SchemaSpec,
    encoding: Encoding,
    body: &str,
) -> Result<(), Status> {
    let request = ValidateMessageRequest {
        parent: format!("projects/{}", server.project),
        message: body.as_bytes().to_vec().into(),
        encoding: encoding.into(),
        schema_spec: Some(schema),
    };
    client(server).validate_message(request).await.map(drop)
}
