//! The queue under a clock that the tests hold.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

use std::time::SystemTime;

use super::super::policy::{DeadLetterRule, RetryBackoff};
use super::*;

const LEASE: Duration = Duration::from_secs(10);
const MANY: FlowCapacity = FlowCapacity {
    messages: 1_000,
    bytes: 1_000_000,
};

fn plain() -> DeliveryPolicy {
    DeliveryPolicy {
        ack_deadline: LEASE,
        backoff: None,
        dead_letter: None,
        retain_acked: None,
    }
}

fn queue(policy: DeliveryPolicy, messages: u64) -> MessageQueue {
    let mut queue = MessageQueue::new(policy);
    for id in 1..=messages {
        queue.publish(Arc::new(StoredMessage::new(
            id,
            SystemTime::now(),
            google_cloud_googleapis::pubsub::v1::PubsubMessage::default(),
        )));
    }
    queue
}

fn lease(queue: &mut MessageQueue, now: Instant) -> Vec<LeaseId> {
    queue
        .lease(now, LEASE, None, MANY)
        .iter()
        .map(|delivery| delivery.ticket)
        .collect()
}

#[test]
fn a_lease_lapses_at_its_end_and_not_before() {
    let mut queue = queue(plain(), 1);
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    assert_eq!(queue.next_timer(), Some(now + LEASE));
    queue.advance(now + LEASE - Duration::from_nanos(1));
    assert!(lease(&mut queue, now).is_empty());
    queue.advance(now + LEASE);
    let second = lease(&mut queue, now + LEASE)[0];
    assert_eq!(second.message, first.message);
    assert!(!queue.acknowledge(first), "the id of an earlier delivery");
    assert!(queue.acknowledge(second));
    assert_eq!(queue.counts().lapsed, 1);
}

#[test]
fn a_shortened_lease_ends_early_and_its_old_timer_does_nothing() {
    let mut queue = queue(plain(), 1);
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    let early = now + Duration::from_secs(1);
    queue.extend(first, early);
    assert_eq!(queue.next_timer(), Some(early));
    queue.advance(early);
    lease(&mut queue, early);
    queue.advance(now + LEASE);
    assert_eq!(
        queue.counts().outstanding,
        1,
        "the second lease is not over"
    );
}

#[test]
fn a_late_acknowledgement_leaves_no_ghost() {
    let mut queue = queue(plain(), 1);
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    queue.advance(now + LEASE);
    assert!(queue.acknowledge(first));
    assert!(lease(&mut queue, now + LEASE).is_empty());
    assert_eq!(queue.next_timer(), None);
}

#[test]
fn a_message_leased_again_after_its_lapse_is_delivered_once() {
    let mut queue = queue(plain(), 1);
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    queue.advance(now + LEASE);
    queue.extend(first, now + 2 * LEASE);
    assert!(lease(&mut queue, now + LEASE).is_empty());
    queue.advance(now + 2 * LEASE);
    assert_eq!(lease(&mut queue, now + 2 * LEASE).len(), 1);
}

#[test]
fn a_nack_waits_for_the_backoff() {
    let second = Duration::from_secs(1);
    let backoff = Some(RetryBackoff {
        minimum: second,
        maximum: second * 60,
    });
    let mut queue = queue(DeliveryPolicy { backoff, ..plain() }, 1);
    let mut now = Instant::now();
    for delay in [0, 1, 2, 4, 8] {
        let ticket = lease(&mut queue, now)[0];
        assert!(queue.nack(ticket, now).is_none());
        assert!(
            queue.nack(ticket, now).is_none(),
            "a second nack changes nothing"
        );
        if delay > 0 {
            assert!(lease(&mut queue, now).is_empty());
            assert_eq!(queue.next_timer(), Some(now + second * delay));
        }
        now += second * delay;
        queue.advance(now);
    }
    assert_eq!(queue.counts().nacked, 5);
}

#[test]
fn the_last_attempt_is_the_end_and_a_message_put_back_lives_on() {
    let dead_letter = Some(DeadLetterRule {
        topic: "t".to_owned(),
        max_attempts: 2,
    });
    let mut queue = queue(
        DeliveryPolicy {
            dead_letter,
            ..plain()
        },
        1,
    );
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    assert!(queue.nack(first, now).is_none());
    let second = lease(&mut queue, now)[0];
    let dead = queue.nack(second, now).unwrap();
    assert_eq!(dead.attempts, 2);
    assert_eq!(
        (queue.counts().waiting, queue.counts().dead_lettered),
        (0, 1)
    );
    queue.put_back(dead);
    assert!(
        !queue.acknowledge(second),
        "the nacked delivery's id stays void"
    );
    let third = lease(&mut queue, now)[0];
    assert!(!queue.acknowledge(second));
    assert!(queue.acknowledge(third));
    assert_eq!(queue.counts().dead_lettered, 0);
}

#[test]
fn a_stream_gets_room_back_by_ack_nack_and_lapse() {
    let mut queue = queue(plain(), 5);
    let now = Instant::now();
    let id = ConsumerId(1);
    queue.enter(id, StreamConsumer::new(3, 0));
    let held = queue.lease(now, LEASE, Some(id), MANY);
    assert_eq!(held.len(), 3);
    assert!(queue.lease(now, LEASE, Some(id), MANY).is_empty());
    queue.acknowledge(held[0].ticket);
    queue.nack(held[1].ticket, now);
    assert_eq!(queue.lease(now, LEASE, Some(id), MANY).len(), 2);
    queue.advance(now + LEASE);
    assert_eq!(queue.lease(now + LEASE, LEASE, Some(id), MANY).len(), 3);
}

#[test]
fn leases_that_are_ended_early_are_retried_as_if_they_had_lapsed() {
    let backoff = Some(RetryBackoff {
        minimum: LEASE / 2,
        maximum: LEASE,
    });
    let mut queue = queue(DeliveryPolicy { backoff, ..plain() }, 3);
    let now = Instant::now();
    let first = lease(&mut queue, now)[0];
    queue.acknowledge(first);
    assert_eq!(queue.lapse(now).0, 2);
    assert_eq!(queue.lapse(now).0, 0, "they are leased no more");
    assert_eq!(
        lease(&mut queue, now).len(),
        2,
        "the first retry is immediate"
    );
    queue.lapse(now);
    assert!(lease(&mut queue, now).is_empty(), "the second is delayed");
    queue.advance(now + LEASE / 2);
    assert_eq!(lease(&mut queue, now + LEASE / 2).len(), 2);
    queue.advance(now + LEASE);
    assert_eq!(queue.counts().lapsed, 4, "the old timers do nothing");
}

/// Three messages, published a minute apart, from `first` on.
fn published_apart(policy: DeliveryPolicy, first: SystemTime) -> MessageQueue {
    let mut queue = MessageQueue::new(policy);
    for id in 0..3_u32 {
        queue.publish(Arc::new(StoredMessage::new(
            u64::from(id),
            first + Duration::from_mins(1) * id,
            google_cloud_googleapis::pubsub::v1::PubsubMessage::default(),
        )));
    }
    queue
}

fn retaining(retention: Duration) -> DeliveryPolicy {
    DeliveryPolicy {
        retain_acked: Some(retention),
        ..plain()
    }
}

#[test]
fn a_seek_brings_back_what_is_retained_and_voids_old_tickets() {
    let first = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
    let now = Instant::now();
    let mut queue = published_apart(retaining(Duration::from_hours(1)), first);
    let old = lease(&mut queue, now);
    queue.acknowledge(old[0]);
    queue.acknowledge(old[1]);
    queue.seek(first + Duration::from_mins(1));
    assert!(
        !queue.acknowledge(old[1]) && !queue.acknowledge(old[2]),
        "tickets of before"
    );
    let again: Vec<u64> = lease(&mut queue, now)
        .iter()
        .map(|ticket| ticket.message)
        .collect();
    assert_eq!(again, [1, 2], "the first is acknowledged still");
    queue.seek(first + Duration::from_hours(1));
    let counts = queue.counts();
    assert_eq!((counts.waiting, counts.outstanding), (0, 0));
}

#[test]
fn a_seek_brings_back_nothing_that_was_not_retained_or_not_long_enough() {
    let first = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
    let now = Instant::now();
    for (policy, left) in [
        (plain(), vec![]),
        (retaining(Duration::from_secs(90)), vec![1, 2]),
    ] {
        let mut queue = published_apart(policy, first);
        for ticket in lease(&mut queue, now) {
            queue.acknowledge(ticket);
        }
        queue.seek(SystemTime::UNIX_EPOCH);
        let back: Vec<u64> = lease(&mut queue, now)
            .iter()
            .map(|ticket| ticket.message)
            .collect();
        assert_eq!(back, left);
    }
}

#[test]
fn timers_left_behind_are_swept() {
    let mut queue = queue(plain(), 20_000);
    let now = Instant::now();
    while let Some(ticket) = queue.lease_next(now + LEASE, None) {
        queue.acknowledge(ticket.ticket);
    }
    assert!(queue.timers.len() < 20_000 + 1_024 + 1);
    assert_eq!(queue.next_timer(), None);
}
