//! One suite for the embedded broker and for Google's emulator.
//!
//! Each case is a function over a server. Against the broker each is a test of its own; against
//! the emulator, which takes seconds to start and is not installed everywhere, all run within one
//! test that names each. Where the two may differ the emulator is wrong, and the case says why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a panic is how a test fails, and a line on standard error how it reports"
)]

mod admin;
mod broker_only;
mod delivery;
mod limits;
mod own_schemas;
mod redelivery;
mod schemas;
mod seeking;
mod server;
mod streaming;

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use pubsub_emulator::{Broker, BrokerSettings};

use server::{Kind, Server};
use testkit::google_emulator::GoogleEmulator;

/// A case that waits for ever fails by name instead. One of them waits for a minute.
const CASE_DEADLINE: Duration = Duration::from_secs(100);

type Case = fn(Server) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($area:ident::$case:ident,)*) => {
        const CASES: &[(&str, Case)] = &[
            $((stringify!($case), |server| Box::pin($area::$case(server))),)*
        ];

        mod on_the_broker {
            $(
                #[tokio::test]
                async fn $case() {
                    super::on_a_broker(|server| Box::pin(super::$area::$case(server))).await;
                }
            )*
        }
    };
}

cases! {
    // First, for it waits for a minute.
    delivery::an_empty_pull_is_answered_before_a_client_gives_up,
    admin::what_exists_already_is_refused,
    admin::what_is_not_there_is_not_found,
    admin::malformed_requests_are_invalid,
    admin::settings_are_kept_and_defaulted,
    admin::an_update_changes_the_masked_fields_only,
    admin::lists_name_what_exists,
    admin::a_subscription_outlives_its_topic,
    delivery::a_published_message_is_pulled_and_acknowledged,
    delivery::every_subscription_gets_its_own_copy,
    delivery::a_filter_keeps_out_what_it_does_not_match,
    delivery::a_pull_returns_at_most_what_was_asked,
    delivery::an_immediate_pull_does_not_wait,
    delivery::a_waiting_pull_gets_what_is_published_later,
    delivery::a_pull_whose_deadline_passes_says_so,
    delivery::an_ordering_key_is_carried,
    limits::an_empty_message_is_refused,
    limits::a_thousand_messages_a_request_are_the_limit,
    limits::a_message_of_nearly_ten_megabytes_passes,
    limits::a_request_over_ten_megabytes_is_refused,
    limits::attributes_over_their_limits_are_refused,
    redelivery::a_nacked_message_comes_again_at_once,
    redelivery::a_lapsed_lease_brings_the_message_again,
    redelivery::an_extended_lease_holds,
    redelivery::a_late_acknowledgement_counts_until_the_next_delivery,
    redelivery::an_id_from_an_earlier_delivery_is_passed_over,
    redelivery::a_message_is_dead_lettered_after_its_last_attempt,
    redelivery::a_lapsed_last_attempt_is_dead_lettered_too,
    redelivery::a_message_with_no_place_for_its_dead_stays,
    redelivery::the_delay_grows_under_a_retry_policy,
    schemas::a_schema_is_kept_and_shown_as_asked,
    schemas::schemas_are_refused_as_topics_are,
    schemas::a_message_can_be_validated_beforehand,
    schemas::a_topic_takes_only_what_its_schema_does_and_says_so_to_readers,
    schemas::a_topic_whose_schema_was_deleted_takes_nothing,
    seeking::a_seek_back_brings_retained_messages_again,
    seeking::a_seek_back_brings_nothing_that_was_not_retained,
    seeking::a_seek_forward_acknowledges_what_is_there_and_nothing_later,
    seeking::a_seek_needs_a_target_and_a_subscription,
    streaming::googles_client_publishes_streams_and_acknowledges,
    streaming::googles_client_nacks,
    streaming::a_stream_gets_no_more_than_it_may_hold,
    streaming::a_stream_gets_no_more_bytes_than_it_may_hold,
    streaming::a_stream_acknowledges_and_nacks_in_itself,
    streaming::a_stream_must_begin_properly,
    streaming::a_stream_ends_when_its_subscription_is_deleted,
    streaming::a_stream_ends_well_when_the_client_is_done,
}

async fn on_a_broker(case: Case) {
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    let server = Server::connect(&broker.host(), Kind::Broker).await;
    tokio::time::timeout(CASE_DEADLINE, case(server))
        .await
        .expect("the case comes to its end");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_emulator_agrees_with_the_broker() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let host = emulator.host();
    let failures: Vec<&str> = stream::iter(CASES)
        .map(|(name, case)| async move {
            let server = Server::connect(host, Kind::Emulator).await;
            let outcome = tokio::spawn(tokio::time::timeout(CASE_DEADLINE, case(server))).await;
            let passed = matches!(outcome, Ok(Ok(())));
            eprintln!("emulator: {name}: {}", if passed { "ok" } else { "FAILED" });
            (!passed).then_some(*name)
        })
        .buffer_unordered(6)
        .filter_map(|failure| async move { failure })
        .collect()
        .await;
    assert!(failures.is_empty(), "the emulator fails {failures:?}");
}
