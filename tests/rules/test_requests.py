"""Requests for exceptions, as values."""

from datetime import UTC, datetime, timedelta

import pytest

from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.rules.requests import (
    MAX_ANSWERED,
    MAX_OPEN,
    MAX_OPEN_OF_ONE,
    ExceptionRequest,
    RequestAnswer,
    RequestState,
    answer,
    ask,
    find,
    load,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
APPROVED = RequestAnswer(RequestState.APPROVED, "ann", NOW, "fine", NOW + timedelta(9))
DENIED = RequestAnswer(RequestState.DENIED, "ann", NOW)


def request(number=0, **parts):
    given = {"package": "left-pad", "reason": "r", "requested_by": "bob", "token_id": "t1"}
    return ExceptionRequest(id=f"{number:016x}", requested_at=NOW, **{**given, **parts})


@pytest.mark.parametrize("given", [None, APPROVED, DENIED], ids=["open", "approved", "denied"])
@pytest.mark.parametrize(
    "parts",
    [{}, {"versions": ("^1",), "rules": ("malware",)}, {"unknown": {"team": "web"}}],
    ids=["whole", "some", "more than we know"],
)
def test_request_is_stored_and_loaded(parts, given):
    """It is the same afterwards, with and without an answer."""
    one = request(**parts, answer=given)
    assert load(one.to_document()) == one
    assert one.to_document()["state"] == (given.state if given else "requested")


@pytest.mark.parametrize("damage", [{"state": "x"}, {"requestedAt": 1}, {"versions": "1"}])
def test_damaged_request_is_not_loaded(damage):
    """It is an error."""
    with pytest.raises((TypeError, ValueError)):
        load(request().to_document() | damage)


@pytest.mark.parametrize(
    ("parts", "is_same"),
    [
        pytest.param({}, True, id="same"),
        pytest.param({"reason": "please"}, True, id="another reason"),
        pytest.param({"package": "right-pad"}, False, id="another package"),
        pytest.param({"versions": ("1.0.0",)}, False, id="some versions"),
        pytest.param({"rules": ("malware",)}, False, id="some rules"),
        pytest.param({"token_id": "t2"}, False, id="another token"),
        pytest.param({"requested_by": "carl"}, False, id="another person"),
    ],
)
def test_open_request_is_not_made_twice(parts, is_same):
    """The same one who asks for the same again changes nothing; after an answer it is a new request."""
    first, again = request(1), request(2, **parts)
    requests = ask((), first)
    assert (ask(requests, again) is requests) is is_same
    assert again.asks_like(first) is is_same
    assert ask(answer(requests, first.id, DENIED), again)[0] is again


@pytest.mark.parametrize(
    ("count", "parts"),
    [
        pytest.param(MAX_OPEN_OF_ONE, lambda n: {"package": f"p{n}"}, id="of one"),
        pytest.param(MAX_OPEN, lambda n: {"token_id": f"t{n}"}, id="of all"),
    ],
)
def test_open_requests_are_bounded(count, parts):
    """One more is refused until one is answered."""
    requests = ()
    for number in range(count):
        requests = ask(requests, request(number, **parts(number)))
    one_more = request(count, **parts(count))
    with pytest.raises(Conflict):
        ask(requests, one_more)
    assert len(ask(answer(requests, requests[3].id, APPROVED), one_more)) == count + 1


@pytest.mark.parametrize(("given", "opposite"), [(APPROVED, DENIED), (DENIED, APPROVED)], ids=["approved", "denied"])
def test_request_has_one_answer(given, opposite):
    """The same answer again changes nothing; the opposite one is refused, and so is an unknown request."""
    requests = answer([request(1), request(2)], request(2).id, given)
    assert [one.state for one in requests] == ["requested", given.state]
    assert find(requests, request(2).id).answer == given
    assert answer(requests, request(2).id, given) is requests
    with pytest.raises(Conflict, match=given.state):
        answer(requests, request(2).id, opposite)
    with pytest.raises(NotFound):
        answer(requests, "none", given)


def test_oldest_answers_are_dropped():
    """Open requests stay."""
    requests = [request(0), *(request(number) for number in range(1, MAX_ANSWERED + 3))]
    for number in range(1, MAX_ANSWERED + 3):
        given = RequestAnswer(RequestState.DENIED, "ann", NOW + timedelta(number))
        requests = answer(requests, request(number).id, given)
    assert [one.id for one in requests] == [request(n).id for n in (0, *range(3, MAX_ANSWERED + 3))]
