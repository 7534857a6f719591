//! The settings of subscriptions that differ from what is needed.

use google_cloud_googleapis::pubsub::v1::Subscription;
use prost_types::Duration as ProtoDuration;

use super::{Difference, Harm};
use crate::messaging::LAST_ATTEMPT;

/// The settings of `found` that are not as `wanted`.
pub(super) fn differing_settings(wanted: &Subscription, found: &Subscription) -> Vec<Difference> {
    settings(wanted)
        .into_iter()
        .zip(settings(found))
        .filter(|((_, expected), (_, shown))| expected != shown)
        .map(|((setting, expected), (_, shown))| Difference::Setting {
            subscription: id_of(&wanted.name).to_owned(),
            setting,
            expected,
            found: shown,
            harm: harm(setting, wanted, found),
        })
        .collect()
}

/// `wanted`, keeping messages as long as `found` does where that is longer: how much of the past an
/// installation keeps is its own choice.
pub(super) fn kept_as_long(wanted: &Subscription, found: &Subscription) -> Subscription {
    let longer = retention(found) > retention(wanted);
    let kept = if longer { found } else { wanted };
    Subscription {
        message_retention_duration: kept.message_retention_duration,
        ..wanted.clone()
    }
}

fn harm(setting: &str, wanted: &Subscription, found: &Subscription) -> Harm {
    match setting {
        "topic" | "detached" | "filter" | "push_config" => Harm::Fatal,
        "message_retention_duration" if retention(found) < retention(wanted) => Harm::FatalToReader,
        // Without a policy nothing counts attempts, and poison goes round for ever; another topic's
        // letters nobody finds.
        "dead_letter_policy" if dead_letter_topic(found) != dead_letter_topic(wanted) => {
            Harm::FatalToReader
        }
        // Pub/Sub would forward a message before the service has given it up, without a reason.
        "dead_letter_policy" if attempts(found) <= i64::from(LAST_ATTEMPT) => Harm::FatalToReader,
        _ => Harm::Lesser,
    }
}

fn retention(subscription: &Subscription) -> Option<i64> {
    let retention = subscription.message_retention_duration.as_ref()?;
    Some(retention.seconds)
}

fn dead_letter_topic(subscription: &Subscription) -> Option<&str> {
    let policy = subscription.dead_letter_policy.as_ref()?;
    Some(&policy.dead_letter_topic)
}

fn attempts(subscription: &Subscription) -> i64 {
    let policy = subscription.dead_letter_policy.as_ref();
    policy.map_or(i64::MAX, |policy| policy.max_delivery_attempts.into())
}

/// The settings the service relies on, as people read them. A deleted topic shows as
/// `_deleted-topic_`.
fn settings(subscription: &Subscription) -> [(&'static str, String); 10] {
    let push = subscription
        .push_config
        .as_ref()
        .is_some_and(|push| !push.push_endpoint.is_empty());
    [
        ("topic", id_of(&subscription.topic).to_owned()),
        ("detached", subscription.detached.to_string()),
        (
            "ack_deadline_seconds",
            subscription.ack_deadline_seconds.to_string(),
        ),
        (
            "message_retention_duration",
            in_seconds(subscription.message_retention_duration.as_ref()),
        ),
        ("expiration_policy", expiration(subscription)),
        ("dead_letter_policy", dead_letters(subscription)),
        ("retry_policy", retries(subscription)),
        ("filter", quoted(&subscription.filter)),
        (
            "enable_message_ordering",
            subscription.enable_message_ordering.to_string(),
        ),
        ("push_config", if push { "push" } else { "pull" }.to_owned()),
    ]
}

fn expiration(subscription: &Subscription) -> String {
    match &subscription.expiration_policy {
        Some(policy) => policy
            .ttl
            .as_ref()
            .map_or_else(|| "never".to_owned(), |ttl| in_seconds(Some(ttl))),
        None => "Pub/Sub's default".to_owned(),
    }
}

fn dead_letters(subscription: &Subscription) -> String {
    subscription.dead_letter_policy.as_ref().map_or_else(
        || "none".to_owned(),
        |policy| {
            format!(
                "{} after {} attempts",
                id_of(&policy.dead_letter_topic),
                policy.max_delivery_attempts
            )
        },
    )
}

fn retries(subscription: &Subscription) -> String {
    subscription.retry_policy.as_ref().map_or_else(
        || "immediate".to_owned(),
        |policy| {
            format!(
                "{} to {}",
                in_seconds(policy.minimum_backoff.as_ref()),
                in_seconds(policy.maximum_backoff.as_ref())
            )
        },
    )
}

fn in_seconds(duration: Option<&ProtoDuration>) -> String {
    duration.map_or_else(
        || "unset".to_owned(),
        |duration| match duration.nanos {
            0 => format!("{} s", duration.seconds),
            nanos => format!("{}.{nanos:09} s", duration.seconds),
        },
    )
}

fn quoted(filter: &str) -> String {
    if filter.is_empty() {
        "none".to_owned()
    } else {
        format!("`{filter}`")
    }
}

/// The last segment of a resource's name.
pub(super) fn id_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use google_cloud_googleapis::pubsub::v1::{DeadLetterPolicy, PushConfig};
    use rstest::rstest;

    use super::*;

    fn wanted() -> Subscription {
        Subscription {
            name: "projects/p/subscriptions/user-sync-worker".to_owned(),
            topic: "projects/p/topics/user-sync".to_owned(),
            message_retention_duration: Some(ProtoDuration {
                seconds: 604_800,
                nanos: 0,
            }),
            dead_letter_policy: Some(policy("user-sync-dead", 100)),
            ack_deadline_seconds: 60,
            ..Subscription::default()
        }
    }

    fn policy(topic: &str, max_delivery_attempts: i32) -> DeadLetterPolicy {
        DeadLetterPolicy {
            dead_letter_topic: format!("projects/p/topics/{topic}"),
            max_delivery_attempts,
        }
    }

    fn kept_for(seconds: i64) -> impl Fn(&mut Subscription) {
        move |found| {
            found.message_retention_duration = Some(ProtoDuration { seconds, nanos: 0 });
        }
    }

    fn dead_to(policy: Option<DeadLetterPolicy>) -> impl Fn(&mut Subscription) {
        move |found| found.dead_letter_policy.clone_from(&policy)
    }

    fn pushed(found: &mut Subscription) {
        found.push_config = Some(PushConfig {
            push_endpoint: "https://example.org".to_owned(),
            ..PushConfig::default()
        });
    }

    #[rstest]
    #[case(&|found: &mut Subscription| found.topic = "_deleted-topic_".to_owned(), Harm::Fatal)]
    #[case(&|found: &mut Subscription| found.detached = true, Harm::Fatal)]
    #[case(&|found: &mut Subscription| found.filter = "attributes.a = \"b\"".to_owned(), Harm::Fatal)]
    #[case(&pushed, Harm::Fatal)]
    #[case(&kept_for(600), Harm::FatalToReader)]
    #[case(&kept_for(2_678_400), Harm::Lesser)]
    #[case(&dead_to(None), Harm::FatalToReader)]
    #[case(&dead_to(Some(policy("another", 100))), Harm::FatalToReader)]
    #[case(&dead_to(Some(policy("user-sync-dead", 5))), Harm::FatalToReader)]
    #[case(&dead_to(Some(policy("user-sync-dead", 50))), Harm::Lesser)]
    #[case(&|found: &mut Subscription| found.ack_deadline_seconds = 20, Harm::Lesser)]
    fn a_change_is_fatal_where_messages_are_lost_or_none_come(
        #[case] change: &dyn Fn(&mut Subscription),
        #[case] expected: Harm,
    ) {
        let mut found = wanted();
        assert_eq!(differing_settings(&wanted(), &found), []);
        change(&mut found);
        let harms: Vec<Harm> = differing_settings(&wanted(), &found)
            .into_iter()
            .filter_map(|difference| match difference {
                Difference::Setting { harm, .. } => Some(harm),
                Difference::MissingTopic { .. } | Difference::MissingSubscription { .. } => None,
            })
            .collect();
        assert_eq!(harms, [expected]);
    }
}
