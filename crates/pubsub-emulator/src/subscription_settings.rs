//! The settings of a subscription: defaults, bounds, and what can be changed later.
//!
//! Bounds: <https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscription>.
//! Google's emulator lets ack deadlines under 10 s and any filter pass; the broker does not.

use google_cloud_googleapis::pubsub::v1::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription, subscription,
};
use prost_types::Duration;
use tonic::Status;

use super::filter::MessageFilter;
use super::names::{ResourceKind, ResourceName, unoffered};

/// The topic of a subscription whose topic was deleted.
pub(super) const DELETED_TOPIC: &str = "_deleted-topic_";

const DAY: i64 = 24 * 60 * 60;

/// Checks the settings of a new subscription and fills in the defaults.
///
/// # Errors
/// `INVALID_ARGUMENT` for a value out of bounds, `UNIMPLEMENTED` for what the broker does not do.
pub(super) fn accept(mut given: Subscription) -> Result<Subscription, Status> {
    refuse_unoffered(&given)?;
    MessageFilter::parse(&given.filter)?;
    if given.ack_deadline_seconds == 0 {
        given.ack_deadline_seconds = 10;
    }
    between("ack_deadline_seconds", given.ack_deadline_seconds, 10, 600)?;
    let retention = given
        .message_retention_duration
        .get_or_insert(whole(7 * DAY));
    between(
        "message_retention_duration",
        retention.seconds,
        600,
        31 * DAY,
    )?;
    given.expiration_policy.get_or_insert(ExpirationPolicy {
        ttl: Some(whole(31 * DAY)),
    });
    given.push_config.get_or_insert_with(PushConfig::default);
    given.state = subscription::State::Active.into();
    given.retry_policy.as_mut().map(accept_retry).transpose()?;
    given
        .dead_letter_policy
        .as_mut()
        .map(accept_dead_letter)
        .transpose()?;
    Ok(given)
}

/// The settings that come of an update.
///
/// # Errors
/// `INVALID_ARGUMENT` for an empty mask, for a field that is unknown or cannot change, and for
/// whatever [`accept`] refuses.
pub(super) fn merge(
    current: &Subscription,
    update: &Subscription,
    paths: &[String],
) -> Result<Subscription, Status> {
    if paths.is_empty() {
        return Err(Status::invalid_argument(
            "The update_mask in the UpdateSubscriptionRequest must be set, and must contain a non-empty paths list.",
        ));
    }
    let mut merged = current.clone();
    for path in paths {
        match path.as_str() {
            "ack_deadline_seconds" => merged.ack_deadline_seconds = update.ack_deadline_seconds,
            "dead_letter_policy" => merged
                .dead_letter_policy
                .clone_from(&update.dead_letter_policy),
            "enable_exactly_once_delivery" => {
                merged.enable_exactly_once_delivery = update.enable_exactly_once_delivery;
            }
            "expiration_policy" => merged.expiration_policy = update.expiration_policy,
            "labels" => merged.labels.clone_from(&update.labels),
            "message_retention_duration" => {
                merged.message_retention_duration = update.message_retention_duration;
            }
            "push_config" => merged.push_config.clone_from(&update.push_config),
            "retain_acked_messages" => merged.retain_acked_messages = update.retain_acked_messages,
            "retry_policy" => merged.retry_policy = update.retry_policy,
            "name" | "topic" | "filter" | "enable_message_ordering" => {
                return Err(in_mask(&format!(
                    "the {path} field in the Subscription is not mutable"
                )));
            }
            _ => {
                return Err(in_mask(&format!(
                    "{path} is not a known Subscription field"
                )));
            }
        }
    }
    accept(merged)
}

fn refuse_unoffered(given: &Subscription) -> Result<(), Status> {
    let push = given
        .push_config
        .as_ref()
        .is_some_and(|push| !push.push_endpoint.is_empty());
    let asked = [
        ("push_config", push),
        ("bigquery_config", given.bigquery_config.is_some()),
        ("cloud_storage_config", given.cloud_storage_config.is_some()),
        ("enable_message_ordering", given.enable_message_ordering),
        (
            "enable_exactly_once_delivery",
            given.enable_exactly_once_delivery,
        ),
        ("message_transforms", !given.message_transforms.is_empty()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(unoffered(&format!("Subscription.{field}"))),
        None => Ok(()),
    }
}

fn accept_retry(policy: &mut RetryPolicy) -> Result<(), Status> {
    let minimum = *policy.minimum_backoff.get_or_insert(whole(10));
    let maximum = *policy.maximum_backoff.get_or_insert(whole(600));
    between("minimum_backoff", minimum.seconds, 0, 600)?;
    between("maximum_backoff", maximum.seconds, 0, 600)?;
    if (minimum.seconds, minimum.nanos) > (maximum.seconds, maximum.nanos) {
        return Err(Status::invalid_argument(
            "The value for maximum_backoff is too small: it is less than minimum_backoff.",
        ));
    }
    Ok(())
}

fn accept_dead_letter(policy: &mut DeadLetterPolicy) -> Result<(), Status> {
    ResourceName::parse(ResourceKind::Topics, &policy.dead_letter_topic)?;
    if policy.max_delivery_attempts == 0 {
        policy.max_delivery_attempts = 5;
    }
    between(
        "max_delivery_attempts",
        policy.max_delivery_attempts,
        5,
        100,
    )
    .map_err(|status| Status::out_of_range(status.message()))
}

fn between<N: Copy + PartialOrd + std::fmt::Display>(
    field: &str,
    given: N,
    least: N,
    most: N,
) -> Result<(), Status> {
    if given >= least && given <= most {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "The value for {field} is out of bounds. You passed {given} in the request, but the value must be between {least} and {most}."
    )))
}

fn in_mask(why: &str) -> Status {
    Status::invalid_argument(format!(
        "Invalid update_mask provided in the UpdateSubscriptionRequest: {why}."
    ))
}

const fn whole(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}
