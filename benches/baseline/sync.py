"""The sync as it is usually written: one loop over GitLab's users, one call after the other.

    sync.py one      asks Lookup once for each person
    sync.py lists    asks Lookup for 200 people at a time

It decides as the service does, with the service's default configuration, and leaves accounts in the same state. What
it lacks is what makes the service safe: no guard, no second look, no retry, no queue.

Prints one line of JSON: the seconds from the first call to the last, and what was changed.
"""

import datetime
import json
import os
import re
import sys
import time
import uuid

import gitlab
from dateutil.relativedelta import relativedelta
from identitylib.lookup_client import ApiClient, PersonApi
from identitylib.lookup_client_configuration import LookupClientConfiguration

UTC = datetime.timezone.utc
CRSID = re.compile(r"[a-z][a-z0-9]{1,7}", re.IGNORECASE)
MARKER = "lookup_gitlab_sync"
EXEMPT = "lookup_gitlab_sync_exempt"
SIGNS_OF_LIFE = (
    "last_activity_on",
    "current_sign_in_at",
    "last_sign_in_at",
    "created_at",
    "confirmed_at",
)
OPEN = ("active", "deactivated")
BATCH = 200


def instant(text):
    """Such as `2026-11-01 02:00:03 UTC` or an ISO time; the day of a bare date."""
    text = text.removesuffix(" UTC")
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def act(value):
    """Who did it and when, of `blocked_by` and `unblocked_by`: `name/id+time`."""
    _, rest = value.rsplit("/", 1)
    who, when = rest.split("+", 1)
    return int(who), instant(when)


def attributes(user):
    return {each["key"]: each["value"] for each in user.custom_attributes}


def is_ours(user, own):
    """Whether the account is blocked by this program and by nobody since."""
    found = attributes(user)
    try:
        marker = json.loads(found[MARKER])
        if marker["v"] != 1:
            return False
        marked = instant(marker["at"])
        who, when = act(found["blocked_by"])
        if "unblocked_by" in found and act(found["unblocked_by"])[1] > when:
            return False
    except (KeyError, TypeError, ValueError):
        return False
    return who == own and abs(when - marked) <= datetime.timedelta(minutes=10)


def is_inactive(user, own, today):
    """Whether an external account shows no sign of life for 24 months. What cannot be read is a sign of life."""
    try:
        seen = [instant(text) for key in SIGNS_OF_LIFE if (text := getattr(user, key))]
        undone = attributes(user).get("unblocked_by")
        if undone:
            who, when = act(undone)
            if who != own:
                seen.append(when)
    except (TypeError, ValueError):
        return False
    if not seen:
        return False
    last = max(seen).astimezone(UTC).date()
    return last + relativedelta(months=24) <= today


def person_of(user, own):
    """The CRSid if a member of the university, "external" if a collaborator, None if nobody to be touched."""
    if user.id == own or user.bot or EXEMPT in attributes(user):
        return None
    if user.username.startswith("external-"):
        return "external"
    if CRSID.fullmatch(user.username):
        return user.username.lower()
    return None


def decide(user, cancelled, own, today):
    """`block`, `unblock` or None. `cancelled` is None where Lookup knows nothing of the person."""
    person = person_of(user, own)
    if person is None:
        return None
    if person == "external":
        inactive = user.state in OPEN and is_inactive(user, own, today)
        return "inactive" if inactive else None
    if user.state in OPEN and cancelled is True:
        return "cancelled_in_lookup"
    if user.state == "blocked" and cancelled is False and is_ours(user, own):
        return "unblock"
    return None


def one_by_one(api, people):
    for crsid in people:
        person = api.person_get_person("crsid", crsid).result.person
        if person is not None:
            yield crsid, person.cancelled


def in_lists(api, people):
    for start in range(0, len(people), BATCH):
        wanted = people[start : start + BATCH]
        for person in api.person_list_people(crsids=",".join(wanted)).result.people:
            yield person.identifier.value, person.cancelled


def apply(user, decision, run):
    if decision == "unblock":
        user.unblock()
        return
    marker = {
        "v": 1,
        "reason": decision,
        "at": datetime.datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "run": run,
    }
    user.customattributes.set(MARKER, json.dumps(marker, separators=(",", ":")))
    user.block()


def main(ask):
    began = time.monotonic()
    client = gitlab.Gitlab(os.environ["GITLAB_URL"], private_token=os.environ["GITLAB_TOKEN"])
    client.auth()
    own = client.user.id
    lookup = PersonApi(
        ApiClient(
            LookupClientConfiguration(
                os.environ["LOOKUP_CLIENT_ID"],
                os.environ["LOOKUP_CLIENT_SECRET"],
                access_token_url=os.environ["LOOKUP_TOKEN_URL"],
                base_url=os.environ["LOOKUP_URL"],
            )
        )
    )
    users = list(
        client.users.list(
            iterator=True,
            pagination="keyset",
            order_by="id",
            sort="asc",
            per_page=100,
            humans=True,
            with_custom_attributes=True,
        )
    )
    persons = {person_of(user, own) for user in users} - {None, "external"}
    cancelled = dict(ask(lookup, sorted(persons)))
    today = datetime.datetime.now(UTC).date()
    changed = {}
    for user in users:
        decision = decide(user, cancelled.get(person_of(user, own)), own, today)
        if decision:
            apply(user, decision, f"baseline-{uuid.uuid4()}")
            changed[decision] = changed.get(decision, 0) + 1
    print(json.dumps({"seconds": time.monotonic() - began, "changed": changed}))


if __name__ == "__main__":
    main({"one": one_by_one, "lists": in_lists}[sys.argv[1]])
