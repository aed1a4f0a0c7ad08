"""Repeated answers of the real layers: whatever changes, the next answer is what a process without memory gives."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.client import Client
from support.clocks import Clock
from support.registry import ACTOR, publish
from support.repeating import ALLOWED, ANSWERS, World, world

import nproxy_mw
from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.grounds import noted
from nproxy_mw.http.context import opened
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.middleware.repeat import COMPARED
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.tokens import LAST_USE
from nproxy_mw.restrictions import Restrictions, parse_addresses
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.upstream import cache, tarball_store
from nproxy_mw.upstream.cache_contents import clear
from nproxy_mw.upstream.cache_folder import NOTED
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.kept_documents import RECHECK
from nproxy_mw.upstream.observations import taken_away
from nproxy_mw.upstream.ruled import TRUST

TARBALL = "/left-pad/-/left-pad-1.0.0.tgz"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture(params=["folder", "bucket"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The registry in a folder; and where each question costs a request, as on S3."""
    memory = MemoryFileSystem(global_store=False, skip_instance_cache=True)
    with world(tmp_path, bucket=FsspecStorage(memory) if request.param == "bucket" else None) as made:
        yield made


def same_as_without_memory(
    registry: World, path: str, headers: dict[str, str], token: str | None = None, **environ: str
) -> None:
    """Both processes give the same answer, but for the request's id."""
    answers = (
        registry.client(repeats=repeats, token=token, **environ).get(path, **headers) for repeats in (True, False)
    )
    one, other = (replace(each, body=each.body.replace(each.request_id.encode(), b"")) for each in answers)
    assert one == other


@pytest.mark.parametrize(("path", "headers"), ANSWERS)
def test_answer_is_repeated(anywhere: World, path: str, headers: dict[str, str]) -> None:
    """It is the same as that of a process without memory, in each byte and header; what is not repeated never is."""
    registry = anywhere
    if (path, headers) not in registry.repeated:
        assert not any(registry.is_repeated(registry.client(), path, headers) for _ in range(4))
        return
    registry.warm(registry.client(), path, headers)
    same_as_without_memory(registry, path, headers)
    etag = registry.client().get(path, **headers).headers["etag"]
    registry.warm(registry.client(), path, {**headers, "if_none_match": etag})
    same_as_without_memory(registry, path, {**headers, "if_none_match": etag})


def test_an_answer_that_was_fetched_for_is_repeated(registry: World) -> None:
    """The first client fills the memory of its process; what the next one gets counts as found in the cache."""
    registry.repeating.firewall.source.observed("left-pad")  # what is written for the first package of all is there
    caches: list[str | None] = []

    def look(environ: Any, start_response: Any) -> Any:
        environ, context = opened(environ)
        body = registry.repeating.app(environ, start_response)
        caches.append(context.cache)
        return body

    client = Client(look, registry.token)
    first, second = (client.get("/left-pad", accept_encoding="gzip") for _ in range(2))
    assert (first.body, first.headers["etag"]) == (second.body, second.headers["etag"])
    assert registry.repeating.requests == 1
    assert caches == ["miss", "hit"]
    same_as_without_memory(registry, "/left-pad", {"accept_encoding": "gzip"})


# What somebody does, most often in another process, and the paths whose answers are made anew then.
CHANGES: dict[str, tuple[str, Callable[[World], object]]] = {
    "token revoked": (r"/", lambda it: it.organization.tokens.revoke(it.record.id, actor=ACTOR)),
    "last use due": (r"/", lambda it: setattr(it, "ahead", LAST_USE + timedelta(minutes=1))),
    "settings changed": (r"/", lambda it: set_(it, slimPackuments=False)),
    "rate limit set": (r"/", lambda it: set_(it, rateLimit={"requestsPerMinute": 1000})),
    "scope made internal": (r"/", lambda it: set_(it, internalScopes=["@acme", "@more"])),
    "version blocked": (r"/left-pad", lambda it: it.organization.settings.block(["left-pad@1.0.0"], actor=ACTOR)),
    "package blocked": (r"/left-pad", lambda it: it.organization.settings.block(["left-pad"], actor=ACTOR)),
    "rule on": (r"/left-pad", lambda it: set_(it, rules={"version_age": {"mode": "block", "hours": 72}})),
    "taken away": (
        "/left-pad",
        lambda it: it.plain.gateway.observations.note("left-pad", taken_away(["1.0.0"], [])),  # type: ignore[union-attr]
    ),
    "known to have changed": (r"/left-pad(?!/-/)", lambda it: it.plain.gateway.changed(parse_name("left-pad"))),
    "published": (r"/@acme", lambda it: publish(it.client(repeats=False), version="2.0.0")),
    "published by the same process": (r"/@acme", lambda it: publish(it.client(), version="2.0.0")),
    "tagged": (
        "/@acme",
        lambda it: it.organization.packages.tag(parse_name("@acme/utils"), "beta", "1.0.0", ACTOR),
    ),
    "unpublished": (r"/@acme", lambda it: unpublish(it)),
}


def set_(registry: World, **document: Any) -> None:
    registry.organization.settings.change({"rules": ALLOWED, **document}, actor=ACTOR)


def unpublish(registry: World) -> None:
    packages, name = registry.organization.packages, parse_name("@acme/utils")
    packages.unpublish(name, packages.records.own(name)[0].revision, ACTOR)


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_seen_at_once(anywhere: World, change: str) -> None:
    """The next request is answered by what holds now: nothing is repeated that rests on what was changed."""
    registry = anywhere
    concerned, carry_out = CHANGES[change]
    for path, headers in registry.repeated:
        registry.warm(registry.client(), path, headers)
    carry_out(registry)
    for path, headers in ANSWERS:
        if re.match(concerned, path):
            assert not registry.is_repeated(registry.client(), path, headers)
        same_as_without_memory(registry, path, headers)


@pytest.mark.parametrize("change", sorted(set(CHANGES) - {"cache cleared"}))
def test_one_answer_alone_sees_the_change(registry: World, change: str) -> None:
    """Nothing that is asked for in between makes it anew first."""
    concerned, carry_out = CHANGES[change]
    path, headers = next((path, headers) for path, headers in reversed(ANSWERS) if re.match(concerned, path))
    registry.warm(registry.client(), path, headers)
    carry_out(registry)
    assert not registry.is_repeated(registry.client(), path, headers)


def test_token_expires(registry: World) -> None:
    """A repeated answer does not outlive the token that it was made for."""
    soon = registry.clock() + timedelta(minutes=30)
    token, _ = registry.organization.tokens.create("ann", ["proxy"], actor=ACTOR, expires_at=soon)
    registry.warm(registry.client(token=token), "/left-pad", {})
    registry.ahead = timedelta(minutes=31)
    assert registry.client(token=token).get("/left-pad").status == 401


def test_decision_matures(registry: World) -> None:
    """A version that was too young is in the packument from the moment at which it is old enough."""
    set_(registry, rules={"first_seen": {"mode": "off"}, "version_age": {"mode": "block", "hours": 72}})
    registry.upstream.publish("left-pad", "0.9.0", {"time": "2020-01-01T00:00:00.000Z"})
    registry.client().get("/left-pad")
    registry.ahead = timedelta(hours=73)
    same_as_without_memory(registry, "/left-pad", {})


def test_kept_packument_grows_old(tmp_path: Path) -> None:
    """When its time is over, the upstream is asked again."""
    with world(tmp_path, ttl=0.0) as registry:
        client = registry.client()
        client.get("/left-pad"), client.get("/left-pad")
        before = len(registry.upstream.asked("/left-pad"))
        client.get("/left-pad")
        assert len(registry.upstream.asked("/left-pad")) > before


def test_what_left_the_cache_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that nobody tells of are missed at the next look; here, each request takes one."""
    monkeypatch.setattr(cache, "FOLDER_FRESHNESS", 0.0)
    with world(tmp_path) as registry:
        asked = [(path, headers) for path, headers in ANSWERS if path.startswith("/left-pad")]
        for path, headers in asked:
            registry.warm(registry.client(), path, headers)
        clear(str(tmp_path / "cache"), ["left-pad"], bound=2**30)
        for path, headers in asked:
            assert not registry.is_repeated(registry.client(), path, headers)


def test_a_tarball_that_is_asked_for_does_not_look_unused(registry: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From time to time the file is opened, which the cache's eviction goes by."""
    path = "/left-pad/-/left-pad-1.0.0.tgz"
    clock = Clock()
    monkeypatch.setattr(tarball_store, "monotonic", clock)
    registry.warm(registry.client(), path, {})
    clock.now += NOTED
    assert not registry.is_repeated(registry.client(), path, {})
    registry.warm(registry.client(), path, {})


class Feed:
    """Intelligence that learns something."""

    def __init__(self) -> None:
        self.known: tuple[Alert, ...] = ()

    @property
    def revision(self) -> str:
        """How much is known."""
        return str(len(self.known))

    def alerts(self, package: str, releases: Any) -> tuple[Alert, ...]:
        """What is known."""
        return self.known if package == "left-pad" else ()


def test_new_knowledge_is_seen_at_once(tmp_path: Path) -> None:
    """Malware that an intelligence source has just learned of is not handed out again, packument or tarball."""
    feed = Feed()
    with world(tmp_path, intelligence=feed) as registry:
        client = registry.client()
        for path in ("/left-pad", "/left-pad/-/left-pad-1.0.0.tgz"):
            registry.warm(client, path, {})
        feed.known = (Alert(version="1.0.0", kind="malware", id="MAL-1", summary="It steals tokens."),)
        assert list(client.get("/left-pad").json["versions"]) == ["1.1.0"]
        assert client.get("/left-pad/-/left-pad-1.0.0.tgz").status == 403


def test_what_a_client_changed_while_it_was_fetched_is_not_repeated(registry: World) -> None:
    """The upstream may have answered before the change. Whoever asks next is asked for."""
    registry.repeating.firewall.source.observed("left-pad")  # what is written for the first package of all is there
    transport, client = registry.repeating.gateway.transport, registry.client()
    send = transport.send

    def changed_meanwhile(*asked: Any, **how: Any) -> Any:
        answer = send(*asked, **how)
        registry.plain.gateway.changed(parse_name("left-pad"))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "send", changed_meanwhile)
        client.get("/left-pad")
    assert not registry.is_repeated(client, "/left-pad", {})
    same_as_without_memory(registry, "/left-pad", {})


def test_answer_belongs_to_one_token(registry: World) -> None:
    """Neither a stranger nor a token that may only publish gets what another one was given."""
    publisher, _ = registry.organization.tokens.create("bob", ["publish"], actor=ACTOR)
    for path, headers in ANSWERS:
        registry.warm(registry.client(), path, headers)
        for token in ("", publisher, "nproxy_wrong"):
            same_as_without_memory(registry, path, headers, token)
            if path.startswith("/@acme"):
                assert registry.client(token=token).get(path, **headers).status >= 400


def test_token_for_some_addresses_is_looked_at_each_time(registry: World) -> None:
    """What it got from one address says nothing of another."""
    only = Restrictions(addresses=parse_addresses(["192.0.2.0/24"]))
    token, _ = registry.organization.tokens.create("ann", ["proxy"], actor=ACTOR, restrictions=only)
    for path, headers in ANSWERS:
        statuses = [
            registry.client(token=token, REMOTE_ADDR=address).get(path, **headers).status
            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "198.51.100.1")
        ]
        assert statuses == [200, 200, 200, 403]


def test_installs_are_counted_each_time(registry: World) -> None:
    """Who got a tarball from the memory is in the ledger as well, with the address."""
    path, headers = "/left-pad/-/left-pad-1.0.0.tgz", {}
    registry.warm(registry.client(REMOTE_ADDR="192.0.2.1"), path, headers)
    assert registry.is_repeated(registry.client(REMOTE_ADDR="192.0.2.2"), path, headers)
    recorded = [key for key, _ in registry.repeating.organization.ledger._gathered]
    assert (recorded[-1].package, recorded[-1].version, recorded[-1].ip) == ("left-pad", "1.0.0", "192.0.2.2")


def test_not_modified_is_no_install(registry: World) -> None:
    """A client that has the tarball is not counted, repeated or not."""
    path = "/left-pad/-/left-pad-1.0.0.tgz"
    etag = registry.client().get(path).headers["etag"]
    before = len(registry.repeating.organization.ledger._gathered)
    for _ in range(4):
        assert registry.client().get(path, if_none_match=etag).status == 304
    assert len(registry.repeating.organization.ledger._gathered) == before


def test_answer_without_a_token_is_repeated(registry: World) -> None:
    """Where reads are public, what nobody in particular asked for is given again, and no longer than they are."""
    set_(registry, publicReads=True)
    for path in ("/left-pad", TARBALL):
        registry.warm(registry.client(token=""), path, {})
        same_as_without_memory(registry, path, {}, "")
    set_(registry, publicReads=False)
    assert [registry.client(token="").get(path).status for path in ("/left-pad", TARBALL)] == [401, 401]


def test_requests_are_counted_where_they_are_limited(registry: World) -> None:
    """No answer is given without being counted."""
    set_(registry, rateLimit={"requestsPerMinute": 5})
    assert [registry.client().get("/left-pad").status for _ in range(6)] == [200] * 5 + [429]


def test_tarball_is_judged_again_when_its_decision_is_no_longer_trusted(registry: World) -> None:
    """The packument is looked at again after `TRUST`, for a tarball that is in memory as well."""
    registry.warm(registry.client(), "/left-pad", {})
    registry.warm(registry.client(), TARBALL, {})
    registry.ahead = TRUST - timedelta(minutes=1)
    assert registry.is_repeated(registry.client(), TARBALL, {})
    registry.ahead = TRUST + timedelta(minutes=1)
    assert registry.is_repeated(registry.client(), "/left-pad", {})
    assert not registry.is_repeated(registry.client(), TARBALL, {})


def test_kept_tarball_that_is_gone_is_not_repeated(tmp_path: Path) -> None:
    """What was removed from the cache is fetched again."""
    with world(tmp_path) as registry:
        cached(registry).storage.freshness = 0.0  # type: ignore[attr-defined]
        registry.warm(registry.client(), TARBALL, {})
        for kept in list((tmp_path / "cache").rglob("left-pad+1.0.0.tgz")):
            kept.unlink()
        assert not registry.is_repeated(registry.client(), TARBALL, {})
        same_as_without_memory(registry, TARBALL, {})


def test_packument_is_repeated_as_long_as_it_is_fresh(registry: World) -> None:
    """From then on the upstream is asked, and what it says is what a client gets."""
    kept, later = cached(registry)._kept, 0.0
    kept.now = lambda: time.time() + later
    registry.warm(registry.client(), "/left-pad", {})
    registry.upstream.publish("left-pad", "1.2.0")
    later = kept.ttl - 30
    assert registry.is_repeated(registry.client(), "/left-pad", {})
    later = kept.ttl + 1
    assert "1.2.0" in registry.client().get("/left-pad").json["versions"]


def test_what_a_full_disk_did_not_take_counts_in_its_process(registry: World) -> None:
    """A packument that was fetched and not stored takes the place of the one that was repeated."""
    kept, later = cached(registry)._kept, 0.0
    kept.now = lambda: time.time() + later
    registry.warm(registry.client(), "/left-pad", {})
    registry.upstream.publish("left-pad", "1.2.0")
    later = RECHECK + 1
    storage = cached(registry).storage
    storage.create = storage.replace = full  # type: ignore[method-assign, assignment]
    registry.client().get("/left-pad", query="write=true")
    assert "1.2.0" in registry.client().get("/left-pad").json["versions"]


def test_look_at_the_cache_tells_of_it_alone(registry: World) -> None:
    """It needs no decision of the rules beside it: an entry that could not be stored ends it."""
    kept, later, name = cached(registry)._kept, 0.0, parse_name("left-pad")
    kept.now = lambda: time.time() + later
    cached(registry).packument(name)
    with noted() as grounds:
        cached(registry).packument(name)
    assert grounds.looks
    assert all(look() for look in grounds.looks)
    registry.upstream.publish("left-pad", "1.2.0")
    later = RECHECK + 1
    assert all(look() for look in grounds.looks)
    storage = cached(registry).storage
    storage.create = storage.replace = full  # type: ignore[method-assign, assignment]
    cached(registry).packument(name, for_write=True)
    assert not all(look() for look in grounds.looks)


def test_observation_that_cannot_be_stored_counts_in_its_process(registry: World) -> None:
    """A version that was found out is held, though nobody else can be told."""
    for path in ("/left-pad", TARBALL):
        registry.warm(registry.client(), path, {})
    observations = registry.repeating.gateway.observations
    assert observations is not None
    observations.storage.create = observations.storage.replace = full  # type: ignore[method-assign, assignment]
    observations.note("left-pad", taken_away(["1.0.0"], []))
    assert list(registry.client().get("/left-pad").json["versions"]) == ["1.1.0"]
    assert registry.client().get(TARBALL).status == 403


def cached(registry: World) -> Cached:
    found = registry.repeating.gateway.cached
    assert found is not None
    return found


def full(*_: object) -> Any:
    raise StorageUnavailable("No space left on device.")


def test_restored_tarball_is_read_again(registry: World) -> None:
    """A file that was damaged, read, and restored from a backup is not answered from memory as it was."""
    path = "/@acme/utils/-/utils-1.0.0.tgz"
    (file,) = [found for found in (registry.folder / "store").rglob("*.tgz") if found.stat().st_size][:1]
    registry.repeating.organization.packages.storage.storage.freshness = 0.0  # type: ignore[attr-defined]
    registry.warm(registry.client(), path, {})
    for file in (registry.folder / "store").rglob("*.tgz"):
        restored = file.with_suffix(".restored")
        restored.write_bytes(file.read_bytes())
        restored.replace(file)
    assert not registry.is_repeated(registry.client(), path, {})
    registry.warm(registry.client(), path, {})
    for file in (registry.folder / "store").rglob("*.tgz"):
        file.unlink()
    assert registry.client().get(path).status == 404


def test_tarball_that_could_not_be_looked_into_is_not_repeated(registry: World) -> None:
    """It is looked into at the next request, whatever it takes until that is possible."""
    registry.client().get(TARBALL)
    cached(registry)._tarballs.needs_look = lambda name, filename: True  # type: ignore[method-assign]
    assert not any(registry.is_repeated(registry.client(), TARBALL, {}) for _ in range(4))


def test_repeated_answers_count_as_found_in_the_cache(registry: World) -> None:
    """The dashboard's share of the cache has all requests in it."""
    for path, kind in (("/left-pad", "hit"), (TARBALL, "tarball hit")):
        registry.warm(registry.client(), path, {})
        before = cached(registry).counts[kind]
        assert registry.is_repeated(registry.client(), path, {})
        assert cached(registry).counts[kind] == before + 1


def test_another_form_ends_no_answer(registry: World) -> None:
    """Its decision is the one that is known already."""
    registry.warm(registry.client(), "/left-pad", {})
    registry.warm(registry.client(), TARBALL, {})
    registry.client().get("/left-pad/1.1.0")
    assert registry.is_repeated(registry.client(), "/left-pad", {})
    assert registry.is_repeated(registry.client(), TARBALL, {})


def mentioned_headers() -> list[str]:
    """Each header that the code of the package mentions, as keys of the environ; and some that clients send."""
    sources = "\n".join(path.read_text() for path in Path(nproxy_mw.__file__).parent.rglob("*.py"))
    sent = {"HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_NPM_SESSION", "HTTP_PACOTE_VERSION", "HTTP_X_FORWARDED_HOST"}
    return sorted(set(re.findall(r'"(HTTP_[A-Z_]+[A-Z])"', sources)) | sent)


@pytest.mark.parametrize("header", [each for each in mentioned_headers() if each != "HTTP_TRANSFER_ENCODING"])
def test_no_other_header_makes_a_difference(registry: World, header: str) -> None:
    """A header that is not compared changes no answer: neither with it nor without it is one for the other."""
    values = ("x", "1", "bytes=0-3", "gzip", "install", "text/html", "no-cache", "Wed, 21 Oct 2015 07:28:00 GMT", "*")
    for path, headers in ANSWERS:
        registry.warm(registry.client(), path, headers)
        for value in values:
            same_as_without_memory(registry, path, headers, **{header: value})
        same_as_without_memory(registry, path, headers)


def test_headers_that_are_compared_are_mentioned() -> None:
    """Nothing is compared that no code reads."""
    assert {key for key in COMPARED if key.startswith("HTTP_")} <= set(mentioned_headers())


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(ANSWERS), st.sampled_from(["ann", "bob", ""])),
    st.tuples(st.just("change"), st.sampled_from(sorted(CHANGES)), st.none()),
)


@given(steps=st.lists(STEPS, min_size=5, max_size=30))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_requests_and_changes(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """Whatever was asked and done before, both processes say the same."""
    with world(tmp_path_factory.mktemp("world")) as registry:
        bob, _ = registry.organization.tokens.create("bob", ["proxy"], actor=ACTOR)
        tokens = {"ann": registry.token, "bob": bob, "": ""}
        for kind, what, who in steps:
            if kind == "ask":
                path, headers = what
                same_as_without_memory(registry, path, headers, tokens[who])
            else:
                with suppress(NproxyError):  # another change has made this one impossible
                    CHANGES[what][1](registry)
