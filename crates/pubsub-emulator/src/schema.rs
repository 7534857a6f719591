//! A topic schema: one protobuf message, and what it refuses.
//!
//! Rules: <https://cloud.google.com/pubsub/docs/schemas>. Only `PROTOCOL_BUFFER` is offered;
//! Google's emulator offers only `AVRO`.

use std::path::Path;
use std::time::SystemTime;

use google_cloud_googleapis::pubsub::v1::{Encoding, Schema as Settings, SchemaView, schema::Type};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use prost_types::Timestamp;
use protox::file::{File, FileResolver};
use tonic::Status;

use super::names::unoffered;

/// The schema of a topic whose schema was deleted.
pub(super) const DELETED_SCHEMA: &str = "_deleted-schema_";

/// Attributes that the service adds to each message of a topic with a schema.
const ENCODING: &str = "googclient_schemaencoding";
const NAME: &str = "googclient_schemaname";
const REVISION: &str = "googclient_schemarevisionid";

const FILE: &str = "schema.proto";

/// A schema that was understood.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    settings: Settings,
    message: MessageDescriptor,
}

impl Schema {
    /// Reads a definition of exactly one message that imports nothing.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, saying why; `UNIMPLEMENTED` for Avro.
    pub(super) fn compile(given: Settings) -> Result<Self, Status> {
        match given.r#type() {
            Type::ProtocolBuffer => {}
            Type::Avro => return Err(unoffered("Schema.type AVRO")),
            Type::Unspecified => return Err(Status::invalid_argument("Invalid schema type")),
        }
        let message = only_message(&given.definition).map_err(|why| {
            Status::invalid_argument(format!("Could not parse schema definition: {why}"))
        })?;
        Ok(Self {
            settings: given,
            message,
        })
    }

    /// The same as a resource: with its name, a revision and the time.
    pub(super) fn named(mut self, name: String, revision: u64) -> Self {
        self.settings.name = name;
        self.settings.revision_id = format!("{:08x}", revision & 0xffff_ffff);
        self.settings.revision_create_time = Some(Timestamp::from(SystemTime::now()));
        self
    }

    /// As the API shows it; only the full view has the definition.
    pub(super) fn view(&self, view: SchemaView) -> Settings {
        match view {
            SchemaView::Full => self.settings.clone(),
            SchemaView::Basic | SchemaView::Unspecified => Settings {
                definition: String::new(),
                ..self.settings.clone()
            },
        }
    }

    /// Checks a body.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, saying why.
    pub(super) fn check(&self, encoding: Encoding, body: &[u8]) -> Result<(), Status> {
        let read = match encoding {
            Encoding::Json => self.read_json(body).map_err(|error| error.to_string()),
            Encoding::Binary => DynamicMessage::decode(self.message.clone(), body)
                .map(drop)
                .map_err(|error| error.to_string()),
            Encoding::Unspecified => {
                return Err(Status::invalid_argument("No encoding provided."));
            }
        };
        read.map_err(|why| {
            Status::invalid_argument(format!(
                "Invalid data in message: Message failed schema validation: {why}"
            ))
        })
    }

    /// What the service tells a reader of each message: how it is encoded and by which schema.
    pub(super) fn attributes(&self, encoding: Encoding) -> [(String, String); 3] {
        [
            (ENCODING, encoding.as_str_name().to_owned()),
            (NAME, self.settings.name.clone()),
            (REVISION, self.settings.revision_id.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }

    fn read_json(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let strict = DeserializeOptions::new().deny_unknown_fields(true);
        let mut reader = serde_json::Deserializer::from_slice(body);
        DynamicMessage::deserialize_with_options(self.message.clone(), &mut reader, &strict)?;
        reader.end()
    }
}

fn only_message(definition: &str) -> Result<MessageDescriptor, String> {
    let mut compiler =
        protox::Compiler::with_file_resolver(SingleFileResolver(definition.to_owned()));
    compiler
        .open_file(Path::new(FILE))
        .map_err(|error| error.to_string())?;
    let pool = DescriptorPool::from_file_descriptor_set(compiler.file_descriptor_set())
        .map_err(|error| error.to_string())?;
    let mut top_level = pool
        .all_messages()
        .filter(|message| message.parent_message().is_none());
    match (top_level.next(), top_level.next()) {
        (Some(message), None) => Ok(message),
        (None, _) => Err("it has no message".to_owned()),
        (Some(_), Some(_)) => Err("it has more than one top-level message".to_owned()),
    }
}

/// The definition is all there is to read, so that an import is refused.
struct SingleFileResolver(String);

impl FileResolver for SingleFileResolver {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == FILE {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn schema(definition: &str) -> Result<Schema, Status> {
        Schema::compile(Settings {
            r#type: Type::ProtocolBuffer.into(),
            definition: definition.to_owned(),
            ..Settings::default()
        })
    }

    #[rstest::rstest]
    #[case::nothing("", "no message")]
    #[case::broken("message {", "expected an identifier")]
    #[case::two("syntax=\"proto3\"; message A {} message B {}", "more than one")]
    #[case::an_import(
        "syntax=\"proto3\"; import \"google/protobuf/timestamp.proto\"; message A { google.protobuf.Timestamp t = 1; }",
        "not found"
    )]
    fn a_definition_that_pubsub_refuses_is_refused_with_the_reason(
        #[case] definition: &str,
        #[case] why: &str,
    ) {
        let refusal = schema(definition).unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
        assert!(refusal.message().contains(why), "{}", refusal.message());
    }

    #[test]
    fn a_message_within_the_message_is_no_second_one() {
        let nested = "syntax=\"proto3\"; message A { message B {} B b = 1; }";
        let schema = schema(nested).unwrap();
        assert!(schema.check(Encoding::Json, br#"{"b":{}}"#).is_ok());
        assert!(schema.check(Encoding::Json, br#"{"b":7}"#).is_err());
    }

    #[test]
    fn the_binary_encoding_is_read_too() {
        let schema = schema("syntax=\"proto3\"; message A { string s = 1; }").unwrap();
        assert!(schema.check(Encoding::Binary, b"\x0a\x01x").is_ok());
        assert!(schema.check(Encoding::Binary, b"\x0a\x09x").is_err());
        assert!(schema.check(Encoding::Unspecified, b"{}").is_err());
    }
}
