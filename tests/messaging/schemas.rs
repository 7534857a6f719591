//! `schemas/*.proto` and the serde types are one thing in two languages.

use std::{collections::BTreeSet, fmt::Debug};

use lookup_gitlab_sync::messaging::wire::{NamespaceSync, SyncOutcome, SyncTick, UserSync};
use proptest::{option, prelude::*};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The one message of a schema.
fn message(schema: &str) -> MessageDescriptor {
    let folder = testkit::project::root().join("schemas");
    let compiled = protox::compile([schema], [folder]).unwrap();
    let [file] = compiled.file.as_slice() else {
        panic!("{schema} imports something");
    };
    assert_eq!(file.syntax(), "proto3");
    assert!(file.dependency.is_empty(), "{schema} imports something");
    let pool = DescriptorPool::from_file_descriptor_set(compiled.clone()).unwrap();
    let messages: Vec<_> = pool.all_messages().collect();
    assert_eq!(messages.len(), 1, "{schema} has not one message");
    assert!(pool.all_enums().next().is_none(), "{schema} has an enum");
    let message = messages.into_iter().next().unwrap();
    for field in message.fields() {
        let name = field.name();
        assert!(field.field_descriptor_proto().proto3_optional(), "{name}");
        assert!(field.kind().as_message().is_none(), "{name} is not flat");
    }
    message
}

/// What Pub/Sub's JSON encoding makes of `body`, unknown fields refused.
fn accept(message: &MessageDescriptor, body: &str) -> Result<DynamicMessage, serde_json::Error> {
    let strict = DeserializeOptions::new().deny_unknown_fields(true);
    let mut reader = serde_json::Deserializer::from_str(body);
    let accepted = DynamicMessage::deserialize_with_options(message.clone(), &mut reader, &strict)?;
    reader.end()?;
    Ok(accepted)
}

/// The schema accepts `value`, loses nothing of it, and the serde type reads it back.
fn agrees<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    message: &MessageDescriptor,
    value: &T,
) {
    let body = serde_json::to_string(value).unwrap();
    let accepted = accept(message, &body).unwrap_or_else(|error| panic!("{body}: {error}"));
    let fields = serde_json::to_value(value).unwrap();
    assert_eq!(
        accepted.fields().count(),
        fields.as_object().unwrap().len(),
        "{body}"
    );
    assert_eq!(&serde_json::from_str::<T>(&body).unwrap(), value);
}

/// A value with every field set has exactly the schema's fields.
fn is_whole<T: Serialize>(message: &MessageDescriptor, full: &T) {
    let names: BTreeSet<String> = message.fields().map(|f| f.name().to_owned()).collect();
    let Value::Object(object) = serde_json::to_value(full).unwrap() else {
        panic!("not an object");
    };
    let serialised: BTreeSet<String> = object.keys().cloned().collect();
    assert_eq!(serialised, names);
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("\\PC{0,40}")
}

/// Percentages as people write them; see `a_percentage` beside the decoder.
fn percent() -> impl Strategy<Value = Option<f64>> {
    option::of((0..=100_000_000_u32).prop_map(|millionths| f64::from(millionths) / 1_000_000.0))
}

prop_compose! {
    fn a_tick()(
        dry_run in option::of(any::<bool>()),
        max_block_percent in percent(),
        max_unblock_percent in percent(),
        reason in text(),
        requested_by in text(),
    ) -> SyncTick {
        SyncTick { dry_run, max_block_percent, max_unblock_percent, reason, requested_by }
    }
}

prop_compose! {
    fn a_user_sync()(
        gitlab_user_id in option::of(any::<u64>()),
        dry_run in option::of(any::<bool>()),
        (username, crsid, cause, planned) in (text(), text(), text(), text()),
        (planned_reason, planned_at, requested_by, reason) in (text(), text(), text(), text()),
    ) -> UserSync {
        UserSync {
            gitlab_user_id, username, crsid, cause, dry_run,
            planned, planned_reason, planned_at, requested_by, reason,
        }
    }
}

prop_compose! {
    fn a_namespace_sync()(
        namespace_id in option::of(any::<u64>()),
        requested_by in text(),
    ) -> NamespaceSync {
        NamespaceSync { namespace_id, requested_by }
    }
}

prop_compose! {
    fn an_outcome()(
        (kind, run, cause, stage, message_id) in (text(), text(), text(), text(), text()),
        (username, crsid, class, decision, reason) in (text(), text(), text(), text(), text()),
        (result, at, dead_letter_reason, detail) in (text(), text(), text(), text()),
        dry_run in option::of(any::<bool>()),
        (delivery_attempt, calls) in (option::of(any::<u32>()), option::of(any::<u32>())),
        gitlab_user_id in option::of(any::<u64>()),
        milliseconds in option::of(any::<u64>()),
        (accounts, messages) in (option::of(any::<u64>()), option::of(any::<u64>())),
        (namespace_id, namespace_sync_id) in (option::of(any::<u64>()), option::of(any::<u64>())),
        (blocks, unblocks, keeps) in
            (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u64>())),
        (pages, people, gate) in (option::of(any::<u64>()), option::of(any::<u64>()), text()),
        (unreadable_accounts, unreadable_people) in (option::of(any::<u64>()), option::of(any::<u64>())),
    ) -> SyncOutcome {
        SyncOutcome {
            kind, run, cause, stage, message_id, gitlab_user_id, username, crsid, class, decision,
            reason, result, dry_run, delivery_attempt, milliseconds, calls, at, accounts, messages,
            blocks, unblocks, keeps, dead_letter_reason, detail, namespace_id, namespace_sync_id,
            pages, people, gate, unreadable_accounts, unreadable_people,
        }
    }
}

fn full_tick() -> SyncTick {
    SyncTick {
        dry_run: Some(true),
        max_block_percent: Some(12.5),
        max_unblock_percent: Some(100.0),
        reason: Some("graduation".to_owned()),
        requested_by: Some("spqr1".to_owned()),
    }
}

fn full_user_sync() -> UserSync {
    let text = || Some("text".to_owned());
    UserSync {
        gitlab_user_id: Some(u64::MAX),
        username: text(),
        crsid: text(),
        cause: text(),
        dry_run: Some(false),
        planned: text(),
        planned_reason: text(),
        planned_at: text(),
        requested_by: text(),
        reason: text(),
    }
}

fn full_outcome() -> SyncOutcome {
    let text = || Some("text".to_owned());
    SyncOutcome {
        kind: text(),
        run: text(),
        cause: text(),
        stage: text(),
        message_id: text(),
        gitlab_user_id: Some(u64::MAX),
        username: text(),
        crsid: text(),
        class: text(),
        decision: text(),
        reason: text(),
        result: text(),
        dry_run: Some(true),
        delivery_attempt: Some(u32::MAX),
        milliseconds: Some(1),
        calls: Some(3),
        at: text(),
        accounts: Some(1),
        messages: Some(2),
        blocks: Some(3),
        unblocks: Some(4),
        keeps: Some(5),
        dead_letter_reason: text(),
        detail: text(),
        namespace_id: Some(6),
        namespace_sync_id: Some(7),
        pages: Some(8),
        people: Some(9),
        gate: text(),
        unreadable_accounts: Some(10),
        unreadable_people: Some(11),
    }
}

#[test]
fn the_schema_of_a_tick_is_the_type() {
    let schema = message("sync_tick.proto");
    is_whole(&schema, &full_tick());
    agrees(&schema, &full_tick());
    agrees(&schema, &SyncTick::default());
    proptest!(|(tick in a_tick())| agrees(&schema, &tick));
}

#[test]
fn the_schema_of_a_user_message_is_the_type() {
    let schema = message("user_sync.proto");
    is_whole(&schema, &full_user_sync());
    agrees(&schema, &full_user_sync());
    agrees(&schema, &UserSync::default());
    proptest!(|(user in a_user_sync())| agrees(&schema, &user));
}

#[test]
fn the_schema_of_a_namespace_message_is_the_type() {
    let schema = message("namespace_sync.proto");
    let full = NamespaceSync {
        namespace_id: Some(u64::MAX),
        requested_by: Some("spqr1".to_owned()),
    };
    is_whole(&schema, &full);
    agrees(&schema, &full);
    agrees(&schema, &NamespaceSync::default());
    proptest!(|(namespace in a_namespace_sync())| agrees(&schema, &namespace));
}

#[test]
fn the_schema_of_an_outcome_is_the_type() {
    let schema = message("sync_outcome.proto");
    is_whole(&schema, &full_outcome());
    agrees(&schema, &full_outcome());
    agrees(&schema, &SyncOutcome::default());
    proptest!(|(outcome in an_outcome())| agrees(&schema, &outcome));
}

#[test]
fn every_field_of_every_schema_is_explained() {
    for schema in [
        "sync_tick.proto",
        "user_sync.proto",
        "namespace_sync.proto",
        "sync_outcome.proto",
    ] {
        let path = testkit::project::root().join("schemas").join(schema);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            if let [before, field] = pair
                && field.starts_with("optional ")
            {
                assert!(before.starts_with("//"), "{schema}: {field}");
            }
        }
    }
}

#[test]
fn a_schema_refuses_what_the_decoder_refuses_for_its_shape() {
    let schema = message("user_sync.proto");
    for body in [
        r#"{"crsid":"spqr1","colour":"blue"}"#,
        r#"{"gitlab_user_id":7.5}"#,
        r#"{"gitlab_user_id":-7}"#,
        r#"{"username":7}"#,
        r#"{"dry_run":"yes"}"#,
        "[]",
        "",
    ] {
        assert!(accept(&schema, body).is_err(), "{body}");
    }
    assert!(accept(&schema, r#"{"crsid":"spqr1"}"#).is_ok());
}
