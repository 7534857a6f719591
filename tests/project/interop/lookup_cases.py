"""ucam-identitylib against the simulated Lookup."""

import os

import requests
from identitylib.lookup_client import ApiClient, ApiException, IbisApi, PersonApi
from identitylib.lookup_client_configuration import LookupClientConfiguration

URL = os.environ["LOOKUP_URL"]
CONTROL = URL.removesuffix("/lookup/v1")


def _client(secret=None):
    return ApiClient(
        LookupClientConfiguration(
            os.environ["LOOKUP_CLIENT_ID"],
            secret or os.environ["LOOKUP_CLIENT_SECRET"],
            access_token_url=os.environ["LOOKUP_TOKEN_URL"],
            base_url=URL,
        )
    )


def _person(crsid, **changes):
    answer = requests.put(f"{CONTROL}/simulate/people/{crsid}", json=changes, timeout=30)
    assert answer.status_code == 200, answer.text


def _crsids(people):
    return [person.identifier.value for person in people]


def _everybody():
    """All rows. Those with a broken `cancelled`, which the population has on purpose, are mended first: identitylib
    takes no answer with one of them in it."""
    state = f"{CONTROL}/simulate/state"
    for person in requests.get(state, timeout=30).json()["people"]:
        if not isinstance(person.get("cancelled"), bool):
            _person(person["identifier"]["value"], cancelled=False)
    return requests.get(state, timeout=30).json()["people"]


def a_list_has_the_known_the_cancelled_among_them_and_nobody_else():
    _person("aaa11")
    _person("bbb22", cancelled=True)
    answer = PersonApi(_client()).person_list_people(crsids="bbb22,nosuch9,aaa11")
    people = answer.result.people
    assert _crsids(people) == ["aaa11", "bbb22"], people
    assert [person.cancelled for person in people] == [False, True]
    assert people[0].identifier.scheme == "crsid"


def nobody_known_is_an_empty_list():
    assert PersonApi(_client()).person_list_people(crsids="nosuch9").result.people == []


def two_hundred_people_are_one_call():
    everybody = _everybody()
    asked = [person["identifier"]["value"] for person in everybody][:200]
    assert len(asked) == 200
    people = PersonApi(_client()).person_list_people(crsids=",".join(asked)).result.people
    assert _crsids(people) == sorted(asked)


def one_person_is_found_in_any_case_of_letters():
    _person("ccc33", cancelled=True)
    for identifier in ("ccc33", "CCC33"):
        person = PersonApi(_client()).person_get_person("crsid", identifier).result.person
        assert person.identifier.value == "ccc33" and person.cancelled


def one_person_who_is_unknown_is_nothing():
    answer = PersonApi(_client()).person_get_person("crsid", "nosuch9")
    assert answer.result.person is None


def all_people_come_in_pages_without_the_cancelled_unless_asked():
    api = PersonApi(_client())

    def sweep(**parameters):
        found, last = [], None
        while True:
            page = _crsids(
                api.person_all_people(identifier=last, limit=50, **parameters).result.people
            )
            if not page:
                return found
            found += page
            last = page[-1]

    everybody = _everybody()
    current = {p["identifier"]["value"] for p in everybody if p.get("cancelled") is False}
    whole = sweep(include_cancelled=True)
    assert whole == sorted(p["identifier"]["value"] for p in everybody)
    assert set(sweep()) >= current and len(sweep()) < len(whole)


def the_last_transaction_is_a_number_that_rises():
    api = IbisApi(_client())
    before = api.ibis_get_last_transaction_id().result.value
    _person("ddd44")
    assert api.ibis_get_last_transaction_id().result.value > before


def the_version_is_told():
    assert IbisApi(_client()).ibis_get_version().result.value == "1.2"


def wrong_credentials_get_no_token():
    try:
        PersonApi(_client("wrong")).person_list_people(crsids="aaa11")
    except RuntimeError as refusal:
        assert "401" in str(refusal), refusal
    else:
        raise AssertionError("a token was given")


def a_revoked_token_is_refused_by_the_gateway():
    api = PersonApi(_client())
    api.person_list_people(crsids="aaa11")
    assert requests.delete(f"{CONTROL}/simulate/tokens", timeout=30).ok
    try:
        api.person_list_people(crsids="aaa11")
    except ApiException as refusal:
        assert refusal.status == 401 and "invalid_access_token" in refusal.body, refusal
    else:
        raise AssertionError("it was let in")


def an_error_of_lookup_reaches_the_caller_with_its_body():
    fault = {
        "method": "GET",
        "path": "/lookup/v1/person/list",
        "status": 500,
        "headers": {"Content-Type": "application/json"},
        "body": '{"result":{"version":"1.2","error":{"status":500,"code":"x","message":"m","details":""}}}',
        "times": 1,
    }
    assert requests.post(f"{CONTROL}/simulate/faults", json=[fault], timeout=30).ok
    try:
        PersonApi(_client()).person_list_people(crsids="aaa11")
    except ApiException as refusal:
        assert refusal.status == 500 and '"message":"m"' in refusal.body, refusal
    else:
        raise AssertionError("no error")
