"""The service, driven by google-cloud-pubsub for Python and watched by python-gitlab."""

import json
import os
import time

import gitlab
import requests
from google.cloud import pubsub_v1

PROJECT = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}"
PATIENCE = 100

_publisher = pubsub_v1.PublisherClient()
_subscriber = pubsub_v1.SubscriberClient()
_gitlab = gitlab.Gitlab(os.environ["GITLAB_URL"], private_token=os.environ["GITLAB_TOKEN"])
_lookup = os.environ["LOOKUP_URL"].removesuffix("/lookup/v1")


def _outcomes():
    """A subscription on the records of what became of each message."""
    name = f"{PROJECT}/subscriptions/python-{time.monotonic_ns()}"
    request = {"name": name, "topic": f"{PROJECT}/topics/sync-outcome"}
    return _subscriber.create_subscription(request=request).name


def _read(subscription, enough):
    records, until = [], time.monotonic() + PATIENCE
    while not enough(records):
        assert time.monotonic() < until, records
        request = {"subscription": subscription, "max_messages": 500}
        received = _subscriber.pull(request=request, timeout=PATIENCE).received_messages
        records += [json.loads(r.message.data) for r in received]
        acked = {"subscription": subscription, "ack_ids": [r.ack_id for r in received]}
        _subscriber.acknowledge(request=acked)
    return records


def _publish(topic, body, **attributes):
    data = json.dumps(body).encode()
    return _publisher.publish(f"{PROJECT}/topics/{topic}", data, **attributes).result(PATIENCE)


def a_tick_is_followed_by_one_outcome_an_account():
    outcomes = _outcomes()
    run = _publish("sync-tick", {})

    def complete(records):
        started = [r for r in records if r["kind"] == "run_started"]
        users = [r for r in records if r["kind"] == "user"]
        return bool(started) and len(users) >= started[0]["messages"]

    records = _read(outcomes, complete)
    started = next(r for r in records if r["kind"] == "run_started")
    assert {r["run"] for r in records} == {run}, "the message's id is the run"
    blocked = [r for r in records if (r.get("decision"), r.get("result")) == ("block", "applied")]
    assert len(blocked) == started["blocks"] > 0, started
    for record in blocked:
        assert _gitlab.users.get(record["gitlab_user_id"]).state == "blocked"


def a_resync_blocks_and_unblocks_the_one_person():
    user = next(
        user
        for user in _gitlab.users.list(iterator=True, active=True, per_page=100)
        if requests.get(f"{_lookup}/simulate/people/{user.username}", timeout=30).ok
        and not requests.get(f"{_lookup}/simulate/people/{user.username}", timeout=30).json()["cancelled"]
    )
    outcomes = _outcomes()
    for cancelled, decision, state in [(True, "block", "blocked"), (False, "unblock", "active")]:
        change = {"cancelled": cancelled}
        requests.put(f"{_lookup}/simulate/people/{user.username}", json=change, timeout=30)
        body = {"crsid": user.username, "requested_by": "python"}
        run = _publish("user-sync", body)
        record = _read(outcomes, bool)[0]
        assert record["run"] == run and record["decision"] == decision, record
        assert record["result"] == "applied", record
        assert _gitlab.users.get(user.id).state == state


def a_body_that_is_no_request_is_dead_lettered_with_the_reason():
    run = _publish("user-sync", {"colour": "blue"}, mine="1")
    hold = f"{PROJECT}/subscriptions/user-sync-dead-hold"
    request = {"subscription": hold, "max_messages": 1}
    message = _subscriber.pull(request=request, timeout=PATIENCE).received_messages[0].message
    assert json.loads(message.data) == {"colour": "blue"}
    attributes = dict(message.attributes)
    assert attributes["mine"] == "1", attributes
    assert attributes["original_message_id"] == run, attributes
    assert "colour" in attributes["dead_letter_detail"], attributes
