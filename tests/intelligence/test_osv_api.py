"""The OSV API as a source: its answers, how long they are kept, and what counts while it is out of reach."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.forks import holds_in_child
from support.histories import NOW, releases
from support.osv import affected, events, malware, record
from support.scripted_web import Reply, ScriptedWeb, as_json, scripted_web

from nproxy_mw.http.at_once import NotAtOnce, without_waiting
from nproxy_mw.intelligence import osv_questions
from nproxy_mw.intelligence import web as web_module
from nproxy_mw.intelligence.osv_answers import Answers
from nproxy_mw.intelligence.osv_api import KEPT, PATIENCE, OsvApi
from nproxy_mw.intelligence.port import IntelligenceUnavailable
from nproxy_mw.intelligence.web import FetchFailed, Web

EVIL = malware("MAL-1", "evil", "1.0.1")
ALL = releases(["1.0.0", "1.0.1"])
PATH = "/v1/query"


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedWeb]:
    monkeypatch.setattr(web_module, "_RETRY", web_module._RETRY.new(backoff_factor=0))
    with scripted_web() as found:
        found.pages = {PATH: as_json({"vulns": [EVIL]})}
        yield found


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    found = Answers(tmp_path / "answers.db")
    yield found
    found.close()


@pytest.fixture
def api(server: ScriptedWeb, time: Time, answers: Answers) -> OsvApi:
    return another(server, time, answers)


def another(server: ScriptedWeb, time: Time, answers: Answers) -> OsvApi:
    """The same API for another process."""
    return OsvApi(server.url, answers=answers, web=Web(timeout=60.0), clock=time, monotonic=time.monotonic)


def versions(api: OsvApi) -> list[str]:
    return [alert.version for alert in api.alerts("evil", ALL)]


def test_question(api: OsvApi, server: ScriptedWeb) -> None:
    """It is asked about the package as a whole, once, and its records are evaluated here."""
    assert versions(api) == ["1.0.1"]
    assert [(path, json.loads(body)) for path, body in server.asked] == [
        (PATH, {"package": {"name": "evil", "ecosystem": "npm"}})
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({}, [], id="nothing is known"),
        pytest.param({"vulns": None}, [], id="null"),
        pytest.param({"vulns": [EVIL], "next_page_token": ""}, ["1.0.1"], id="an empty token"),
        pytest.param({"vulns": [malware("MAL-2", "other")]}, [], id="a record about another package"),
        pytest.param({"vulns": [{"id": "odd"}, EVIL]}, ["1.0.1"], id="a record that cannot be used"),
        pytest.param(
            {
                "vulns": [
                    record("GHSA-1", affected(events(("introduced", "1.0.1")), package="evil"), withdrawn="2026-01-01")
                ]
            },
            [],
            id="a withdrawn record",
        ),
    ],
)
def test_answers(api: OsvApi, server: ScriptedWeb, answer: Any, expected: list[str]) -> None:
    """Answers as the API gives them."""
    server.pages = {PATH: as_json(answer)}
    assert versions(api) == expected


def test_pages(api: OsvApi, server: ScriptedWeb) -> None:
    """Pages are asked for until there is no token."""
    first = {"vulns": [EVIL], "next_page_token": "two"}
    second = {"vulns": [malware("MAL-2", "evil", "1.0.0")]}
    server.pages = {PATH: lambda body: as_json(second if json.loads(body).get("page_token") == "two" else first)}
    assert sorted(versions(api)) == ["1.0.0", "1.0.1"]
    assert len(server.asked) == 2


def test_pages_without_an_end(api: OsvApi, server: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pages than are read are no answer: a part of one would say that versions are sound."""
    monkeypatch.setattr(osv_questions, "MAX_PAGES", 3)
    server.pages = {PATH: as_json({"vulns": [EVIL], "next_page_token": "again"})}
    with pytest.raises(IntelligenceUnavailable, match="more pages"):
        versions(api)
    assert len(server.asked) == 3


def test_kept_for_a_day(api: OsvApi, server: ScriptedWeb, time: Time, answers: Answers) -> None:
    """An answer is asked for again after 24 hours, by any process of the host."""
    versions(api)
    time.now += KEPT - timedelta(seconds=1)
    assert versions(another(server, time, answers)) == ["1.0.1"]
    assert len(server.asked) == 1
    time.now += timedelta(seconds=1)
    server.pages = {PATH: as_json({})}
    assert versions(api) == []
    assert len(server.asked) == 2


def test_nothing_known_is_kept_too(api: OsvApi, server: ScriptedWeb) -> None:
    """That nothing is known against a package is an answer."""
    server.pages = {PATH: as_json({})}
    assert (versions(api), versions(api), len(server.asked)) == ([], [], 1)


FAILURES = [
    pytest.param(Reply(b"", 500), id="500"),
    pytest.param(Reply(b"", 429), id="429"),
    pytest.param(Reply(b"{", length=100), id="cut"),
    pytest.param(Reply(b"", 302, {"Location": "http://other.example/"}), id="a redirect elsewhere"),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_out_of_reach(api: OsvApi, server: ScriptedWeb, time: Time, failure: Reply) -> None:
    """Without an answer nothing is known; the API is left alone for a minute, and asked again then."""
    server.pages = {PATH: failure}
    for _ in range(3):
        with pytest.raises(IntelligenceUnavailable):
            versions(api)
    assert len(server.asked) == 1
    server.pages = {PATH: as_json({"vulns": [EVIL]})}
    time.now += PATIENCE
    assert versions(api) == ["1.0.1"]
    assert api.answers.failed_at is None


@pytest.mark.parametrize("failure", FAILURES)
def test_old_answer_counts_on(api: OsvApi, server: ScriptedWeb, time: Time, failure: Reply) -> None:
    """What was known to be malware stays known during an outage of any length."""
    versions(api)
    server.pages = {PATH: failure}
    time.now += 30 * KEPT
    assert versions(api) == ["1.0.1"]
    with pytest.raises(IntelligenceUnavailable):
        api.alerts("another", ALL)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Reply(b"", 400), id="it refuses the question"),
        pytest.param(Reply(b"<html>"), id="no JSON"),
        pytest.param(as_json([]), id="a list"),
        pytest.param(as_json({"vulns": 7}), id="a number of records"),
        pytest.param(Reply(b"[" * 100_000), id="depth"),
    ],
)
def test_answer_that_is_none(api: OsvApi, server: ScriptedWeb, failure: Reply) -> None:
    """An answer about one package that makes no sense says nothing about the others."""
    server.pages = {PATH: lambda body: failure if b"odd" in body else as_json({"vulns": [EVIL]})}
    with pytest.raises(IntelligenceUnavailable):
        api.alerts("odd", ALL)
    assert versions(api) == ["1.0.1"]


def test_oversized(api: OsvApi, server: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is not read beyond its bound."""
    monkeypatch.setattr(osv_questions, "MAX_PAGE", 20)
    with pytest.raises(IntelligenceUnavailable, match="more than 20 bytes"):
        versions(api)


def test_revision(api: OsvApi, server: ScriptedWeb, time: Time, answers: Answers) -> None:
    """Decisions are made again each hour; each minute while the API is out of reach; and when it is back."""
    time.now = NOW + timedelta(minutes=1)
    first = api.revision
    time.now += timedelta(minutes=50)
    assert api.revision == another(server, time, answers).revision == first
    time.now += timedelta(minutes=10)
    sound = api.revision
    assert sound != first
    server.pages = {PATH: Reply(b"", 500)}
    with pytest.raises(IntelligenceUnavailable):
        versions(api)
    failing = api.revision
    assert failing not in (first, sound)
    assert another(server, time, answers).revision == failing
    time.now += PATIENCE
    assert api.revision not in (failing, sound)
    server.pages = {PATH: as_json({})}
    versions(api)
    assert api.revision == sound


def test_the_file_is_not_asked_where_nobody_can_wait(api: OsvApi) -> None:
    """Another process may be writing to it: the thread that serves all connections of a server leaves it to others."""
    with pytest.raises(NotAtOnce):
        without_waiting(lambda: api.revision)
    revision = api.revision
    assert without_waiting(lambda: api.revision) == revision


def test_base(server: ScriptedWeb) -> None:
    """The address is configured, checked, and may end in a slash."""
    assert OsvApi(f"{server.url}/").url == f"{server.url}{PATH}"
    for base in ("", "ftp://osv.example", "https://user:secret@osv.example"):
        with pytest.raises(FetchFailed):
            OsvApi(base)


# The kept answers.


def test_oldest_go() -> None:
    """The number of kept answers is bounded; the oldest go first."""
    answers = Answers(most=20)
    for number in range(25):
        answers.keep(f"p{number}", NOW + timedelta(seconds=number), ())
    kept = [number for number in range(25) if answers.find(f"p{number}")]
    assert len(kept) <= 20
    assert kept[-1] == 24
    assert kept == list(range(25 - len(kept), 25))
    answers.close()


def test_answers_are_of_one_process_without_a_file() -> None:
    """Without a path, answers stay in memory."""
    one, other = Answers(), Answers()
    one.keep("evil", NOW, ())
    assert one.find("evil") == (NOW, ())
    assert other.find("evil") is None
    one.close()
    other.close()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a database" * 100, id="something else"),
        pytest.param(b"SQLite format 3\0" + b"x" * 5000, id="damaged"),
    ],
)
def test_damaged_answers(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read is made anew."""
    path = tmp_path / "answers.db"
    path.write_bytes(content)
    answers = Answers(path)
    answers.keep("evil", NOW, ())
    assert answers.find("evil") == (NOW, ())
    answers.close()


def test_answers_of_another_version(tmp_path: Path) -> None:
    """A file of another version is made anew."""
    path = tmp_path / "answers.db"
    with sqlite3.connect(path) as connection:
        connection.executescript("CREATE TABLE answer (of, another, kind); PRAGMA user_version = 99")
    connection.close()
    answers = Answers(path)
    answers.keep("evil", NOW, ())
    assert answers.find("evil")
    answers.close()


def test_answers_that_cannot_be_kept(api: OsvApi, tmp_path: Path, server: ScriptedWeb, time: Time) -> None:
    """Where nothing can be written, the API is asked each time, and nothing fails."""
    nowhere = Answers(tmp_path / "no" / "such" / "folder" / "answers.db")
    asking = another(server, time, nowhere)
    assert (versions(asking), versions(asking), len(server.asked)) == (["1.0.1"], ["1.0.1"], 2)
    nowhere.close()


def test_answers_after_a_fork(answers: Answers) -> None:
    """A child opens the file for itself."""
    answers.keep("evil", NOW, ())
    assert holds_in_child(lambda: answers.find("evil"))


def test_no_process_uses_the_connection_of_another(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite forbids to carry a connection across a fork."""
    answers.keep("evil", NOW, ())
    before, parent = answers._connection, os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    assert answers.find("evil")
    assert answers._connection is not before
