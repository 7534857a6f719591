"""python-gitlab against the simulated GitLab."""

import os

import gitlab
import requests

URL = os.environ["GITLAB_URL"]
TOKEN = os.environ["GITLAB_TOKEN"]
REDUCED = "simulated-reduced-token"


def _client(token=TOKEN):
    return gitlab.Gitlab(URL, private_token=token)


def _state():
    return requests.get(f"{URL}/simulate/state", timeout=30).json()["users"]


_next_id = iter(range(900_000, 1_000_000))


def _account(**row):
    """A new account, made as by hand; as python-gitlab sees it."""
    number = next(_next_id)
    row = {"username": f"made-{number}", "name": "Made"} | row
    answer = requests.put(f"{URL}/simulate/users/{number}", json=row, timeout=30)
    assert answer.status_code == 200, answer.text
    return _client().users.get(number)


def _refused(error, call, status, says=""):
    try:
        call()
    except error as refusal:
        assert refusal.response_code == status, refusal
        # A record that does not validate is refused with its keys, not with a text.
        assert str(refusal.error_message).endswith(says), refusal.error_message
    else:
        raise AssertionError(f"no {error.__name__}")


def the_token_and_its_owner_describe_themselves():
    client = _client()
    client.auth()
    assert (client.user.id, client.user.username) == (1, "lookup-gitlab-sync")
    token = client.personal_access_tokens.get("self")
    assert token.user_id == 1 and "api" in token.scopes, token
    assert token.active and not token.revoked


def a_bearer_token_is_as_good():
    client = gitlab.Gitlab(URL, oauth_token=TOKEN)
    client.auth()
    assert client.user.id == 1


def an_unknown_token_is_refused():
    _refused(
        gitlab.GitlabAuthenticationError,
        _client("nobodys").auth,
        401,
        "401 Unauthorized",
    )


def keyset_pages_hold_everybody_once_and_in_order():
    listed = _client().users.list(
        iterator=True, pagination="keyset", order_by="id", sort="asc", per_page=20
    )
    ids = [user.id for user in listed]
    assert ids == sorted(user["id"] for user in _state()), ids
    assert len(ids) > 100, "several pages"


def offset_pages_hold_everybody_once():
    ids = [user.id for user in _client().users.list(get_all=True, per_page=50)]
    assert sorted(ids) == sorted(user["id"] for user in _state())


def a_page_has_a_hundred_rows_at_most():
    page = _client().users.list(per_page=500, page=1)
    assert len(page) == 100, len(page)


def offsets_past_fifty_thousand_are_refused():
    _refused(
        gitlab.GitlabHttpError,
        lambda: _client().http_list("/users", page=501, per_page=100),
        405,
    )


def filters_choose_what_they_say():
    client = _client()
    blocked = _account(state="blocked")
    banned = _account(state="banned")
    external = _account(external=True)

    def ids(**filters):
        return {user.id for user in client.users.list(get_all=True, **filters)}

    everybody = {user["id"]: user for user in _state()}
    found = ids(blocked=True)
    assert blocked.id in found and banned.id not in found
    assert {everybody[i]["state"] for i in found} <= {"blocked", "ldap_blocked"}
    assert {everybody[i]["state"] for i in ids(active=True)} == {"active"}
    found = ids(external=True)
    assert external.id in found and blocked.id not in found
    assert ids(humans=True) < set(everybody), "there are bots"
    assert ids(blocked=False) == set(everybody), "false does not negate"
    assert ids(username=blocked.username.upper()) == {blocked.id}


def custom_attributes_are_set_read_filtered_and_deleted():
    client = _client()
    user = _account()
    attribute = user.customattributes.set("lookup_gitlab_sync", "one two")
    assert (attribute.key, attribute.value) == ("lookup_gitlab_sync", "one two")
    assert user.customattributes.get("lookup_gitlab_sync").value == "one two"
    user.customattributes.set("lookup_gitlab_sync", "three")
    assert [a.value for a in user.customattributes.list(get_all=True)] == ["three"]

    def found(value):
        return client.users.list(
            custom_attributes={"lookup_gitlab_sync": value},
            with_custom_attributes=True,
            get_all=True,
        )

    assert [u.id for u in found("three") if u.id == user.id] == [user.id]
    assert {"key": "lookup_gitlab_sync", "value": "three"} in found("three")[0].custom_attributes
    assert found("one two") == []
    user.customattributes.delete("lookup_gitlab_sync")
    _refused(
        gitlab.GitlabGetError,
        lambda: user.customattributes.get("lookup_gitlab_sync"),
        404,
    )
    _refused(
        gitlab.GitlabDeleteError,
        lambda: user.customattributes.delete("lookup_gitlab_sync"),
        404,
    )
    _refused(
        gitlab.GitlabSetError,
        lambda: user.customattributes.set("lookup_gitlab_sync", ""),
        400,
    )


def rows_show_what_an_administrator_sees():
    user = _client().users.get(_account().id, with_custom_attributes=True)
    for key in ("is_admin", "custom_attributes", "last_activity_on", "identities", "external"):
        assert key in user.attributes, key


def a_token_without_rights_sees_less_and_is_not_told():
    client = _client(REDUCED)
    blocked = _account(state="blocked")
    users = client.users.list(get_all=True, with_custom_attributes=True)
    assert blocked.id not in {user.id for user in users}
    assert "is_admin" not in users[0].attributes
    assert "custom_attributes" not in users[0].attributes
    filtered = client.users.list(get_all=True, custom_attributes={"no": "body"})
    assert len(filtered) == len(users), "the filter is ignored"
    _refused(gitlab.GitlabBlockError, client.users.get(1, lazy=True).block, 403)
    _refused(
        gitlab.GitlabSetError,
        lambda: client.users.get(1, lazy=True).customattributes.set("k", "v"),
        403,
    )


def who_is_not_there_is_not_found():
    client = _client()
    _refused(gitlab.GitlabGetError, lambda: client.users.get(8_888_888), 404, "404 User Not Found")
    nobody = client.users.get(8_888_888, lazy=True)
    _refused(gitlab.GitlabBlockError, nobody.block, 404, "404 User Not Found")
    _refused(gitlab.GitlabGetError, lambda: nobody.customattributes.get("k"), 404)


def nobody_blocks_himself():
    _refused(
        gitlab.GitlabBlockError,
        _client().users.get(1).block,
        403,
        "403 Forbidden - The API initiating user cannot be blocked by the API",
    )


def a_block_and_an_unblock_are_put_on_record():
    user = _account()
    assert user.block() is True
    assert user.state == "blocked", "python-gitlab takes true for it"
    assert user.unblock() is True
    record = {a.key: a.value for a in user.customattributes.list(get_all=True)}
    for key in ("blocked_by", "unblocked_by"):
        assert record[key].startswith("lookup-gitlab-sync/1+"), record
        assert record[key].endswith(" UTC"), record


def a_client_that_is_throttled_waits_and_goes_on():
    fault = {
        "method": "GET",
        "path": "/api/v4/users/1",
        "status": 429,
        "headers": {"Retry-After": "1"},
        "body": "Retry later",
        "times": 1,
    }
    assert requests.post(f"{URL}/simulate/faults", json=[fault], timeout=30).ok
    assert _client().users.get(1).id == 1


BLOCKED, ACTIVE, LDAP, DEACTIVATED, BANNED, PENDING = (
    "blocked",
    "active",
    "ldap_blocked",
    "deactivated",
    "banned",
    "blocked_pending_approval",
)
_NO = {
    "block": gitlab.GitlabBlockError,
    "unblock": gitlab.GitlabUnblockError,
    "deactivate": gitlab.GitlabDeactivateError,
    "activate": gitlab.GitlabActivateError,
    "ban": gitlab.GitlabBanError,
    "unban": gitlab.GitlabUnbanError,
}

# State, action, what the body says (or how the message of a 403 ends), state after.
_TRANSITIONS = [
    (ACTIVE, "block", True, BLOCKED),
    (ACTIVE, "unblock", False, ACTIVE),
    (ACTIVE, "deactivate", True, DEACTIVATED),
    (ACTIVE, "activate", True, ACTIVE),
    (ACTIVE, "ban", True, BANNED),
    (ACTIVE, "unban", "", ACTIVE),
    (BLOCKED, "block", None, BLOCKED),
    (BLOCKED, "unblock", True, ACTIVE),
    (BLOCKED, "deactivate", "A blocked user cannot be deactivated", BLOCKED),
    (BLOCKED, "activate", "A blocked user must be unblocked to be activated", BLOCKED),
    (BLOCKED, "ban", "You cannot ban blocked users.", BLOCKED),
    (BLOCKED, "unban", "", BLOCKED),
    (LDAP, "block", "LDAP blocked users cannot be modified by the API", LDAP),
    (LDAP, "unblock", "LDAP blocked users cannot be unblocked by the API", LDAP),
    (LDAP, "deactivate", "", LDAP),
    (LDAP, "activate", "", LDAP),
    (LDAP, "ban", "", LDAP),
    (LDAP, "unban", "", LDAP),
    (DEACTIVATED, "block", True, BLOCKED),
    (DEACTIVATED, "unblock", "Deactivated users cannot be unblocked by the API", DEACTIVATED),
    (DEACTIVATED, "deactivate", None, DEACTIVATED),
    (DEACTIVATED, "activate", True, ACTIVE),
    (DEACTIVATED, "ban", "", DEACTIVATED),
    (DEACTIVATED, "unban", "", DEACTIVATED),
    (BANNED, "block", None, BANNED),
    (BANNED, "unblock", True, ACTIVE),
    (BANNED, "deactivate", "", BANNED),
    (BANNED, "activate", "", BANNED),
    (BANNED, "ban", "", BANNED),
    (BANNED, "unban", True, ACTIVE),
    (PENDING, "block", None, PENDING),
    (PENDING, "unblock", True, ACTIVE),
    (PENDING, "deactivate", "", PENDING),
    (PENDING, "activate", "", PENDING),
    (PENDING, "ban", "", PENDING),
    (PENDING, "unban", "", PENDING),
]


def _transition(before, action, says, after):
    user = _account(state=before)
    call = getattr(user, action)
    if isinstance(says, str):
        _refused(_NO[action], call, 403, says)
    else:
        answer = call()
        assert answer is says, f"{answer!r} is not {says!r}"
    assert _client().users.get(user.id).state == after


CASES = {
    f"{before}_{action}": lambda row=(before, action, says, after): _transition(*row)
    for before, action, says, after in _TRANSITIONS
}
