"""Guarded: retries, the bulkhead, the breaker, offline."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
from support.sources import ScriptedSource

from nproxy_mw.errors import Busy, NotFound, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.guarded import ATTEMPTS, Guarded
from nproxy_mw.upstream.origins import UpstreamElsewhere
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.transport import Urllib3Transport

LODASH = parse_name("lodash")
DOWN = UpstreamUnavailable("The upstream registry did not answer.")


@pytest.fixture
def source() -> ScriptedSource:
    source = ScriptedSource()
    source.publish("lodash", "1.0.0")
    return source


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def guarded(source: ScriptedSource, pauses: list[float]) -> Guarded:
    return Guarded(source, asking=2, waiting=3, patience=0.05, sleep=pauses.append, monotonic=lambda: 0.0)


def test_answers_pass(guarded: Guarded) -> None:
    """What the source says comes through all four verbs."""
    assert guarded.packument(LODASH) is not None
    assert guarded.dist_tags(LODASH) == {"latest": "1.0.0"}
    assert guarded.document(Route(Kind.KEYS)) is not None
    with guarded.tarball(LODASH, "lodash-1.0.0.tgz") as blob:
        assert b"".join(blob).startswith(b"\x1f\x8b")


def test_failure_at_once_is_tried_again(guarded: Guarded, source: ScriptedSource, pauses: list[float]) -> None:
    """A reset connection costs the client nothing but a short pause."""
    source.fail = DOWN

    def recover(seconds: float) -> None:
        pauses.append(seconds)
        source.fail = None

    guarded.sleep = recover
    assert guarded.packument(LODASH) is not None
    assert source.asked["packument lodash"] == 2
    assert len(pauses) == 1


def test_failures_end_after_a_few_attempts(guarded: Guarded, source: ScriptedSource) -> None:
    """What fails again and again comes out as it is."""
    source.fail = DOWN
    with pytest.raises(UpstreamUnavailable, match="did not answer"):
        guarded.packument(LODASH)
    assert source.asked["packument lodash"] == ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UpstreamTimeout("slow"), id="timeout"),
        pytest.param(NotFound("none"), id="absent"),
        pytest.param(Busy("busy", retry_after=60), id="busy for long"),
        pytest.param(UpstreamElsewhere("The upstream registry redirects too often."), id="redirected in circles"),
    ],
)
def test_some_failures_are_not_tried_again(guarded: Guarded, source: ScriptedSource, error: Exception) -> None:
    """Who waited once does not wait twice, and an answer is an answer."""
    source.fail = error
    with pytest.raises(type(error)):
        guarded.packument(LODASH)
    assert source.asked["packument lodash"] == 1


def test_failed_late_is_not_tried_again(source: ScriptedSource) -> None:
    """After some seconds somebody has waited long enough."""
    source.fail = DOWN
    times = iter([0.0, 5.0, 5.0, 5.0])
    guarded = Guarded(source, sleep=lambda _: None, monotonic=lambda: next(times))
    with pytest.raises(UpstreamUnavailable):
        guarded.packument(LODASH)
    assert source.asked["packument lodash"] == 1


def test_upstream_that_fails_is_left_alone(guarded: Guarded, source: ScriptedSource) -> None:
    """Once the breaker is open, requests are refused without a question, and the sentence says when to try again."""
    source.fail = DOWN
    for name in ("a", "b", "c"):
        with pytest.raises(UpstreamUnavailable):
            guarded.packument(parse_name(name))
    asked = source.asked.total()
    with pytest.raises(UpstreamUnavailable, match=r"try again in \d+ seconds"):
        guarded.packument(LODASH)
    assert source.asked.total() == asked


def test_upstream_that_sends_us_elsewhere_is_asked_on(guarded: Guarded, source: ScriptedSource) -> None:
    """Packages that lie where this registry does not go are no reason to stop asking for others."""
    source.fail = UpstreamElsewhere("The upstream registry redirects too often.")
    for name in ("a", "b", "c", "d"):
        with pytest.raises(UpstreamElsewhere):
            guarded.packument(parse_name(name))
    source.fail = None
    assert guarded.packument(LODASH) is not None


GARBAGE = {
    "html": Reply(200, b"<html>Sign in</html>"),
    "cut": Reply(200, b'{"name":"cut","versions":{'),
    "error": Reply(200, b'{"error":"try later"}'),
    "encoding": Reply(200, b"{}", {"Content-Encoding": "br"}),
    "gzip": Reply(200, b"{}", {"Content-Encoding": "gzip"}),
    "empty": Reply(200, b""),
}


def test_garbage_about_some_packages_says_nothing_about_others() -> None:
    """An upstream that answers is there: whoever asks for what is broken closes the way for nobody."""
    with RecordingUpstream() as upstream:
        upstream.publish("lodash", "1.0.0")
        guarded = Guarded(Remote(Urllib3Transport(upstream.url)), sleep=lambda _: None)
        for name, reply in GARBAGE.items():
            upstream.on("GET", f"/{name}", reply)
            upstream.on("GET", f"/{name}/-/{name}-1.0.0.tgz", replace(reply, headers={"Content-Type": "text/html"}))
            with pytest.raises(UpstreamUnavailable):
                guarded.packument(parse_name(name))
            with pytest.raises(UpstreamUnavailable):
                guarded.tarball(parse_name(name), f"{name}-1.0.0.tgz")
        assert guarded.packument(LODASH) is not None
        assert guarded.breaker.state == "closed"


def test_no_more_than_some_wait(guarded: Guarded) -> None:
    """The third request for a busy upstream is refused when its patience is over; a closed blob makes place."""
    first, second = (guarded.tarball(LODASH, "lodash-1.0.0.tgz") for _ in range(2))
    with pytest.raises(Busy) as refused:
        guarded.packument(LODASH)
    assert refused.value.retry_after == 1
    first.close()
    first.close()  # twice gives one place free
    assert guarded.packument(LODASH) is not None
    third = guarded.tarball(LODASH, "lodash-1.0.0.tgz")
    with pytest.raises(Busy):
        guarded.packument(LODASH)
    second.close()
    third.close()


def test_turn_is_waited_for(source: ScriptedSource) -> None:
    """A request that finds all places taken goes on as soon as one is free; none is asked beyond that."""
    guarded = Guarded(source, asking=1, waiting=4, patience=30)
    most: list[int] = []
    inside = Counter[str]()

    def note(name: str) -> None:
        inside["now"] += 1
        most.append(inside["now"])
        inside["now"] -= 1

    source.noted = note
    first = guarded.tarball(LODASH, "lodash-1.0.0.tgz")
    threads = [threading.Thread(target=guarded.packument, args=(LODASH,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert source.asked["packument lodash"] == 0
    first.close()
    for thread in threads:
        thread.join(30)
    assert most == [1, 1, 1]


def test_full_waiting_room_refuses_at_once(source: ScriptedSource) -> None:
    """However long the patience: threads are left for what needs no upstream."""
    guarded = Guarded(source, asking=1, waiting=1, patience=3600)
    with guarded.tarball(LODASH, "lodash-1.0.0.tgz"), pytest.raises(Busy):
        guarded.packument(LODASH)


def test_refused_tarball_gives_its_place_free(guarded: Guarded) -> None:
    """An error takes no place for ever."""
    for _ in range(5):
        with pytest.raises(NotFound):
            guarded.tarball(LODASH, "lodash-9.9.9.tgz")


def test_offline_asks_nothing(source: ScriptedSource) -> None:
    """Offline, the source is not asked, and the sentence says so."""
    with pytest.raises(UpstreamUnavailable, match="offline") as refused:
        Guarded(source, offline=True).packument(LODASH)
    assert refused.value.code == "offline"
    assert not source.asked
