"""google-cloud-pubsub for Python against the embedded broker."""

import datetime
import os
import threading
import time
import uuid

import grpc
from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.protobuf import duration_pb2, field_mask_pb2
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport
from google.pubsub_v1.types import Schema

HOST = os.environ["PUBSUB_EMULATOR_HOST"]
PROJECT = f"projects/python-{uuid.uuid4()}"
# Long enough for anything that is to happen; a watch is for what must not.
PATIENCE = 60
WATCH = 1.5

_publisher = pubsub_v1.PublisherClient()
_subscriber = pubsub_v1.SubscriberClient()
_schemas = pubsub_v1.SchemaServiceClient(
    transport=SchemaServiceGrpcTransport(channel=grpc.insecure_channel(HOST))
)


def _fresh(collection):
    return f"{PROJECT}/{collection}/x{uuid.uuid4()}"


def _topic(**settings):
    return _publisher.create_topic(request={"name": _fresh("topics"), **settings}).name


def _subscription(topic, **settings):
    request = {"name": _fresh("subscriptions"), "topic": topic, **settings}
    return _subscriber.create_subscription(request=request).name


def _publish(topic, body, **attributes):
    return _publisher.publish(topic, body, **attributes).result(PATIENCE)


def _pull(subscription, count=1):
    received = []
    while len(received) < count:
        request = {"subscription": subscription, "max_messages": count - len(received)}
        received += _subscriber.pull(request=request, timeout=PATIENCE).received_messages
    return received


def _nothing_comes(subscription):
    try:
        request = {"subscription": subscription, "max_messages": 1}
        received = _subscriber.pull(request=request, timeout=WATCH, retry=None).received_messages
    except (exceptions.DeadlineExceeded, exceptions.Cancelled):
        # CANCELLED where the broker is the first to see that the client's deadline has passed.
        received = []
    assert not received, received


def _deadline(subscription, received, seconds):
    _subscriber.modify_ack_deadline(
        request={
            "subscription": subscription,
            "ack_ids": [received.ack_id],
            "ack_deadline_seconds": seconds,
        }
    )


def _ack(subscription, received):
    _subscriber.acknowledge(request={"subscription": subscription, "ack_ids": [received.ack_id]})


def _refused(error, call, says=""):
    try:
        call()
    except error as refusal:
        assert says in refusal.message, refusal
    else:
        raise AssertionError(f"no {error.__name__}")


def _stream(subscription, callback, until, **limits):
    """Streams until the event is set."""
    flow = pubsub_v1.types.FlowControl(**limits)
    future = _subscriber.subscribe(subscription, callback=callback, flow_control=flow)
    try:
        assert until.wait(PATIENCE), "the messages come"
    finally:
        future.cancel()
        future.result(PATIENCE)


def a_message_is_published_pulled_and_acknowledged():
    topic = _topic()
    subscription = _subscription(topic)
    message_id = _publish(topic, b"work", run="r1", empty="")
    received = _pull(subscription)[0]
    assert received.message.message_id == message_id
    assert received.message.data == b"work"
    assert dict(received.message.attributes) == {"run": "r1", "empty": ""}
    assert received.message.publish_time.timestamp() > time.time() - 3600
    _ack(subscription, received)
    _nothing_comes(subscription)


def a_thousand_messages_are_published_in_batches_and_streamed():
    topic = _topic()
    subscription = _subscription(topic)
    futures = [_publisher.publish(topic, b"%d" % n) for n in range(1_000)]
    published = {future.result(PATIENCE) for future in futures}
    assert len(published) == 1_000
    seen, lock, done = [], threading.Lock(), threading.Event()

    def take(message):
        with lock:
            seen.append(message.message_id)
            message.ack()
            if len(seen) == 1_000:
                done.set()

    _stream(subscription, take, done, max_messages=100)
    assert set(seen) == published and len(seen) == 1_000
    _nothing_comes(subscription)


def a_message_nacked_on_a_stream_comes_again():
    topic = _topic()
    dead = _topic()
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = _subscription(topic, dead_letter_policy=policy)
    attempts, done = [], threading.Event()

    def take(message):
        attempts.append(message.delivery_attempt)
        if len(attempts) < 3:
            message.nack()
        else:
            message.ack()
            done.set()

    _publish(topic, b"work")
    _stream(subscription, take, done)
    assert attempts == [1, 2, 3], attempts


def a_slow_reader_keeps_its_lease():
    topic = _topic()
    subscription = _subscription(topic, ack_deadline_seconds=10)
    deliveries, done = [], threading.Event()

    def take(message):
        deliveries.append(message.message_id)
        # Longer than the deadline: the client extends it.
        time.sleep(12)
        message.ack()
        done.set()

    _publish(topic, b"work")
    _stream(subscription, take, done)
    assert len(deliveries) == 1, deliveries
    _nothing_comes(subscription)


def a_lapsed_lease_brings_the_message_again():
    topic = _topic()
    subscription = _subscription(topic)
    _publish(topic, b"work")
    first = _pull(subscription)[0]
    _deadline(subscription, first, 1)
    second = _pull(subscription)[0]
    assert second.message.message_id == first.message.message_id
    assert second.ack_id != first.ack_id
    _ack(subscription, second)
    _nothing_comes(subscription)


def a_retry_policy_delays_from_the_second_redelivery_on():
    topic = _topic()
    seconds = duration_pb2.Duration
    policy = {"minimum_backoff": seconds(seconds=2), "maximum_backoff": seconds(seconds=3)}
    subscription = _subscription(topic, retry_policy=policy)
    _publish(topic, b"work")
    for least in (0, 0, 2, 3):
        began = time.monotonic()
        received = _pull(subscription)[0]
        assert time.monotonic() - began > least - 0.5, least
        _deadline(subscription, received, 0)


def a_message_without_success_is_dead_lettered_with_its_history():
    topic, dead = _topic(), _topic()
    hold = _subscription(dead)
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = _subscription(topic, dead_letter_policy=policy)
    _publish(topic, b"work", run="r1")
    for attempt in range(1, 6):
        received = _pull(subscription)[0]
        assert received.delivery_attempt == attempt
        _deadline(subscription, received, 0)
    message = _pull(hold)[0].message
    source = "CloudPubSubDeadLetterSource"
    assert message.data == b"work" and message.attributes["run"] == "r1"
    assert message.attributes[source + "DeliveryCount"] == "5"
    assert message.attributes[source + "Subscription"] == subscription.split("/")[-1]
    assert message.attributes[source + "SubscriptionProject"] == PROJECT.split("/")[-1]
    assert source + "TopicPublishTime" in message.attributes


def a_filter_lets_through_what_it_names():
    topic = _topic()
    wanted = 'attributes.kind = "user" AND NOT attributes:copy'
    subscription = _subscription(topic, filter=wanted)
    assert _subscriber.get_subscription(request={"subscription": subscription}).filter == wanted
    _publish(topic, b"group", kind="group")
    _publish(topic, b"copy", kind="user", copy="1")
    _publish(topic, b"user", kind="user")
    assert _pull(subscription)[0].message.data == b"user"
    _nothing_comes(subscription)
    _refused(exceptions.InvalidArgument, lambda: _subscription(topic, filter="kind is user"))


def errors_are_of_the_class_that_the_client_gives_them():
    topic = _topic()
    subscription = _subscription(topic)
    again = {"name": topic}
    _refused(exceptions.AlreadyExists, lambda: _publisher.create_topic(request=again), topic)
    again = {"name": subscription, "topic": topic}
    _refused(exceptions.AlreadyExists, lambda: _subscriber.create_subscription(request=again))
    nothing = _fresh("topics")
    _refused(exceptions.NotFound, lambda: _publisher.get_topic(request={"topic": nothing}))
    _refused(exceptions.NotFound, lambda: _publish(nothing, b"x"))
    _refused(exceptions.NotFound, lambda: _subscription(nothing))
    nothing = {"subscription": _fresh("subscriptions"), "max_messages": 1}
    _refused(exceptions.NotFound, lambda: _subscriber.pull(request=nothing))
    _refused(exceptions.InvalidArgument, lambda: _publisher.create_topic(request={"name": "bad"}))
    _refused(exceptions.InvalidArgument, lambda: _subscription(topic, ack_deadline_seconds=5))
    _refused(exceptions.InvalidArgument, lambda: _publish(topic, b""))
    _refused(exceptions.InvalidArgument, lambda: _publish(topic, b"x", googname="v"))
    ordered = {"enable_message_ordering": True}
    _refused(
        exceptions.MethodNotImplemented,
        lambda: _subscription(topic, **ordered),
        "enable_message_ordering",
    )


def a_stream_on_a_subscription_that_is_not_there_fails():
    future = _subscriber.subscribe(_fresh("subscriptions"), callback=lambda message: None)
    _refused(exceptions.NotFound, lambda: future.result(PATIENCE))


def settings_are_updated_listed_and_deleted():
    topic = _topic(labels={"kind": "test"})
    subscription = _subscription(topic)
    updated = _subscriber.update_subscription(
        request={
            "subscription": {"name": subscription, "ack_deadline_seconds": 42},
            "update_mask": field_mask_pb2.FieldMask(paths=["ack_deadline_seconds"]),
        }
    )
    assert updated.ack_deadline_seconds == 42 and updated.topic == topic
    topics = {t.name: t for t in _publisher.list_topics(request={"project": PROJECT, "page_size": 2})}
    assert topics[topic].labels["kind"] == "test"
    assert list(_publisher.list_topic_subscriptions(request={"topic": topic})) == [subscription]
    listed = _subscriber.list_subscriptions(request={"project": PROJECT, "page_size": 2})
    assert subscription in {s.name for s in listed}
    _publisher.delete_topic(request={"topic": topic})
    orphan = _subscriber.get_subscription(request={"subscription": subscription})
    assert orphan.topic == "_deleted-topic_"
    _subscriber.delete_subscription(request={"subscription": subscription})
    gone = {"subscription": subscription}
    _refused(exceptions.NotFound, lambda: _subscriber.get_subscription(request=gone))


def a_topic_with_a_schema_refuses_a_typo_and_says_where():
    schema = _schemas.create_schema(
        request={
            "parent": PROJECT,
            "schema_id": "user",
            "schema": {
                "type_": Schema.Type.PROTOCOL_BUFFER,
                "definition": 'syntax = "proto3"; message User { optional string crsid = 1; }',
            },
        }
    )
    topic = _topic(schema_settings={"schema": schema.name, "encoding": "JSON"})
    subscription = _subscription(topic)
    _refused(exceptions.InvalidArgument, lambda: _publish(topic, b'{"crisd":"spqr1"}'), "crisd")
    _publish(topic, b'{"crsid":"spqr1"}')
    message = _pull(subscription)[0].message
    assert message.attributes["googclient_schemaname"] == schema.name
    assert message.attributes["googclient_schemaencoding"] == "JSON"


def a_seek_plays_retained_messages_again():
    topic = _topic()
    subscription = _subscription(topic, retain_acked_messages=True)
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    _publish(topic, b"work")
    _ack(subscription, _pull(subscription)[0])
    _nothing_comes(subscription)
    _subscriber.seek(request={"subscription": subscription, "time": before})
    assert _pull(subscription)[0].message.data == b"work"
