"""What an answer says of the rules, to clients in its headers and to outer layers in the context of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.client import Client

from nproxy_mw.http.context import CONTEXT, Context
from nproxy_mw.testing.upstream import RecordingUpstream, Reply

NAMES = ("x-nproxy-blocked", "x-nproxy-warned", "x-nproxy-rules")


@pytest.fixture
def client(upstream: RecordingUpstream, process: Callable[..., Client], set_rules: Callable[..., None]) -> Client:
    """Of a registry that blocks 1.1.0, and warns of 1.1.0 and 1.2.0."""
    del upstream.state.packuments["left-pad"]
    upstream.publish("left-pad", "1.0.0")
    upstream.publish("left-pad", "1.1.0", {"scripts": {"install": "x"}, "dependencies": {"evil": "file:../evil"}})
    upstream.publish("left-pad", "1.2.0", {"scripts": {"install": "x"}})
    set_rules(held_dependency={"mode": "off"}, patch_new_dependency={"mode": "off"}, unexpected_deps={"mode": "off"})
    return process(ttl=0)


def told(client: Client, path: str, **headers: str) -> tuple[str | None, ...]:
    """The three headers."""
    answer = client.get(path, **headers)
    return tuple(answer.headers.get(name) for name in NAMES)


WHOLE = ("1", "2", "exotic_dependency, install_scripts, script_added")
ONE = (None, "1", "install_scripts, script_added")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/left-pad", WHOLE),
        ("/left-pad/1.0.0", WHOLE),
        ("/left-pad/latest", WHOLE),
        ("/-/package/left-pad/dist-tags", WHOLE),
        ("/left-pad/-/left-pad-1.0.0.tgz", (None, None, None)),
        ("/left-pad/-/left-pad-1.1.0.tgz", ("1", None, "exotic_dependency")),
        ("/left-pad/-/left-pad-1.2.0.tgz", (None, "1", "install_scripts")),
    ],
)
def test_headers_count_versions(client: Client, path: str, expected: tuple[str | None, ...]) -> None:
    """First and kept answers say the same; a tarball's headers are about its version alone."""
    assert told(client, path) == told(client, path) == expected


def test_unchanged_says_it_too(client: Client) -> None:
    """A 304 has the headers of the answer that it stands for."""
    etag = client.get("/left-pad").headers["etag"]
    unchanged = client.get("/left-pad", If_None_Match=etag)
    assert (unchanged.status, unchanged.headers["x-nproxy-warned"]) == (304, "2")


def context_of(client: Client, path: str) -> Context:
    """What the request of *path* left in its context."""
    context = Context()
    client.get(path, environ={CONTEXT: context})
    return context


def test_outer_layer_reads_the_verdicts(client: Client) -> None:
    """Which rules flagged something, and in which mode."""
    context = context_of(client, "/left-pad")
    assert list(context.verdicts) == [
        ("block", "exotic_dependency"), ("warn", "install_scripts"), ("warn", "script_added"),
    ]  # fmt: skip
    assert (context.versions_blocked, context.versions_warned) == (1, 2)
    assert context_of(client, "/left-pad/-/left-pad-1.0.0.tgz").verdicts == ()


def test_outer_layer_reads_how_it_was_found(
    client: Client, process: Callable[..., Client], upstream: RecordingUpstream
) -> None:
    """What the cache did, and how long the upstream was waited for."""
    found = [context_of(client, "/left-pad"), context_of(client, "/left-pad")]
    assert [one.cache for one in found] == ["miss", "revalidated"]
    assert all(one.upstream_seconds is not None and one.upstream_seconds > 0 for one in found)
    keeps = process()
    context_of(keeps, "/left-pad")
    hit = context_of(keeps, "/left-pad")
    assert (hit.cache, hit.upstream_seconds) == ("hit", None)
    tarballs: list[Any] = [context_of(keeps, "/left-pad/-/left-pad-1.0.0.tgz").cache for _ in range(2)]
    assert tarballs == ["miss", "hit"]
    upstream.on("GET", "/left-pad", Reply(500))
    assert context_of(client, "/left-pad").cache == "stale"
