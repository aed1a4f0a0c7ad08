"""The OSV API and audits: hundreds of packages are few questions, and strangers cause next to none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from support.histories import NOW, releases
from support.osv import affected, events, malware, record
from support.scripted_web import Reply, ScriptedWeb, as_json, scripted_web

from nproxy_mw.intelligence import web as web_module
from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.allowance import Allowance
from nproxy_mw.intelligence.combined import Combined, known_alerts, learned
from nproxy_mw.intelligence.osv_answers import Answers
from nproxy_mw.intelligence.osv_api import KNOWN, STRANGERS, OsvApi
from nproxy_mw.intelligence.osv_records import parse_record

QUERY, BATCH = "/v1/query", "/v1/querybatch"
NAMES = [f"p{number}" for number in range(300)]
BAD = {"p7": malware("MAL-7", "p7"), "p250": record("GHSA-2", affected(events(("introduced", "0")), package="p250"))}


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedWeb]:
    """An API that knows something against two packages."""
    monkeypatch.setattr(web_module, "_RETRY", web_module._RETRY.new(backoff_factor=0))
    with scripted_web() as found:
        found.pages = {QUERY: answered(BAD), BATCH: batched(BAD)}
        yield found


@pytest.fixture
def api(server: ScriptedWeb, time: Time) -> OsvApi:
    return OsvApi(server.url, clock=time.now, monotonic=time.monotonic)


def answered(known: dict[str, Any]) -> Any:
    """Answers about one package."""

    def answer(body: bytes) -> Reply:
        name = json.loads(body)["package"]["name"]
        return as_json({"vulns": [known[name]]} if name in known else {})

    return answer


def batched(known: dict[str, Any]) -> Any:
    """Answers about many: ids alone, in the order of the questions."""

    def answer(body: bytes) -> Reply:
        names = [one["package"]["name"] for one in json.loads(body)["queries"]]
        found = [{"vulns": [{"id": known[name]["id"], "modified": "x"}]} if name in known else {} for name in names]
        return as_json({"results": found})

    return answer


def known(api: OsvApi, *, of_stranger: bool = False) -> set[str]:
    """The packages against which an audit of all learns something."""
    intelligence = learned(Combined([api]), NAMES, of_stranger=of_stranger)
    return {name for name in NAMES if known_alerts(intelligence, name, ["1.0.0"])}


def test_audit_asks_about_what_is_suspect(api: OsvApi, server: ScriptedWeb) -> None:
    """One question about three hundred packages, and one for each of the two that it names; then none for a day."""
    assert known(api) == {"p7", "p250"}
    assert [path for path, _ in server.asked] == [BATCH, QUERY, QUERY]
    assert known(api) == known(api, of_stranger=True) == {"p7", "p250"}
    assert len(server.asked) == 3
    assert api.alerts("p0", releases(["1.0.0"])) == ()
    assert len(server.asked) == 3


@pytest.mark.parametrize(("of_stranger", "share"), [(False, KNOWN), (True, STRANGERS)], ids=["known", "stranger"])
def test_one_audit_is_bounded(api: OsvApi, server: ScriptedWeb, of_stranger: bool, share: Any) -> None:
    """Where much is suspect, malware is asked about first, and the next audit goes on."""
    suspect = {
        name: record(f"GHSA-{name}", affected(events(("introduced", "0")), package=name)) for name in NAMES[:299]
    }
    suspect["p299"] = malware("MAL-299", "p299")
    server.pages = {QUERY: answered(suspect), BATCH: batched(suspect)}
    found = known(api, of_stranger=of_stranger)
    assert len(found) == share.details
    assert "p299" in found
    assert len(server.asked) == 1 + share.details
    assert len(known(api, of_stranger=of_stranger)) == 2 * share.details


def test_strangers_share_an_allowance(api: OsvApi, server: ScriptedWeb, time: Time) -> None:
    """Ever new names cost the API a few questions a minute, and leave those who show a token theirs."""
    for number in range(200):
        learned(api, [f"q{number}"], of_stranger=True)
    assert len(server.asked) == STRANGERS.per_minute
    time.seconds += 60
    for number in range(200, 400):
        learned(api, [f"q{number}"], of_stranger=True)
    assert len(server.asked) == 2 * STRANGERS.per_minute
    assert known(api) == {"p7", "p250"}


def test_audit_asks_nobody_beyond_its_share(api: OsvApi, server: ScriptedWeb) -> None:
    """What was not learned is not known, and no question is asked about it one by one."""
    names = [f"q{number}" for number in range(STRANGERS.batch + 5)]
    intelligence = learned(api, names, of_stranger=True)
    for name in names:
        assert known_alerts(intelligence, name, ["1.0.0"]) == ()
    assert [path for path, _ in server.asked] == [BATCH]
    assert intelligence is not None
    assert intelligence.revision == api.revision


def test_slow_api_delays_one_question(api: OsvApi, server: ScriptedWeb, time: Time) -> None:
    """Somebody waits for an install."""

    def slow(body: bytes) -> Reply:
        time.seconds += 9
        return batched(BAD)(body)  # type: ignore[no-any-return]

    server.pages[BATCH] = slow
    assert known(api) == set()
    assert [path for path, _ in server.asked] == [BATCH]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_api_without_the_question_about_many(api: OsvApi, server: ScriptedWeb, status: int) -> None:
    """The first packages are asked about one by one."""
    server.pages[BATCH] = Reply(b"", status)
    assert known(api) == {"p7"}
    assert len(server.asked) == 1 + KNOWN.details


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(b"", 500), id="500"),
        pytest.param(Reply(b"", 429), id="429"),
        pytest.param(as_json({"results": []}), id="too few results"),
        pytest.param(as_json({"results": {}}), id="another form"),
        pytest.param(Reply(b"<html>"), id="a page"),
    ],
)
def test_useless_answer_is_none(api: OsvApi, server: ScriptedWeb, reply: Reply) -> None:
    """Nothing is learned, nothing is kept, and nothing is raised."""
    server.pages[BATCH] = reply
    assert known(api) == set()
    assert not server.count(QUERY)
    assert api.answers.find("p0") is None


def test_names_of_nobody_push_no_knowledge_out() -> None:
    """When there are too many answers, those that say nothing go first."""
    answers = Answers(most=20)
    answers.keep("evil", NOW, [_malware()])
    for number in range(10):
        answers.keep_nothing_known([f"q{number}-{other}" for other in range(10)], NOW)
    assert answers.find("evil") is not None
    assert answers.find("q9-9") is not None
    assert answers.find("q0-0") is None
    answers.close()


def _malware() -> Advisory:
    return parse_record(json.dumps(malware("MAL-1", "evil")).encode()).advisories[0]


def test_allowance_comes_back_little_by_little() -> None:
    """All of it at once, then one after the other."""
    seconds = [0.0]
    allowance = Allowance(3, 60, monotonic=lambda: seconds[0])
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    seconds[0] += 1
    assert [allowance.take(), allowance.take()] == [True, False]
    seconds[0] += 1000
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
