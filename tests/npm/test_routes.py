"""Paths: one route each, or a refusal."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route, parse_route

UTILS = Name("@acme", "utils")
LODASH = Name("", "lodash")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("", Route(Kind.ROOT)),
        ("/", Route(Kind.ROOT)),
        ("/lodash", Route(Kind.PACKUMENT, LODASH)),
        ("/@acme/utils", Route(Kind.PACKUMENT, UTILS)),
        ("/@acme/utils/-rev/3-abc", Route(Kind.PACKUMENT_REVISION, UTILS, revision="3-abc")),
        ("/lodash/4.0.0", Route(Kind.MANIFEST, LODASH, version="4.0.0")),
        ("/@acme/utils/1.0.0+b1", Route(Kind.MANIFEST, UTILS, version="1.0.0+b1")),
        ("/@acme/utils/latest", Route(Kind.MANIFEST, UTILS, version="latest")),
        ("/lodash/-/lodash-4.0.0.tgz", Route(Kind.TARBALL, LODASH, filename="lodash-4.0.0.tgz")),
        ("/@acme/utils/-/utils-1.0.0.tgz", Route(Kind.TARBALL, UTILS, filename="utils-1.0.0.tgz")),
        ("/@acme/utils/-/@acme/utils-1.0.0.tgz", Route(Kind.TARBALL, UTILS, filename="utils-1.0.0.tgz")),
        (
            "/@acme/utils/-/utils-1.0.0.tgz/-rev/4-d",
            Route(Kind.TARBALL_REVISION, UTILS, filename="utils-1.0.0.tgz", revision="4-d"),
        ),
        (
            "/@acme/utils/-/@acme/utils-1.0.0.tgz/-rev/4-d",
            Route(Kind.TARBALL_REVISION, UTILS, filename="utils-1.0.0.tgz", revision="4-d"),
        ),
        ("/-/package/@acme/utils/dist-tags", Route(Kind.DIST_TAGS, UTILS)),
        ("/-/package/lodash/dist-tags/next", Route(Kind.DIST_TAG, LODASH, tag="next")),
        ("/-/package/@acme/utils/access", Route(Kind.PACKAGE_ASPECT, UTILS, rest="access")),
        ("/-/npm/v1/oidc/token/exchange/package/@acme/utils", Route(Kind.OIDC, UTILS)),
        ("/-/stage/package/@acme/utils", Route(Kind.STAGE, UTILS)),
        ("/-/user/package/lodash/star", Route(Kind.STAR, LODASH)),
        ("/-/npm/v1/attestations/@acme/utils@1.0.0", Route(Kind.ATTESTATIONS, UTILS, version="1.0.0")),
        ("/-/npm/v1/attestations/lodash@4.0.0", Route(Kind.ATTESTATIONS, LODASH, version="4.0.0")),
        ("/-/ping", Route(Kind.PING)),
        ("/-/whoami", Route(Kind.WHOAMI)),
        ("/-/v1/search", Route(Kind.SEARCH)),
        ("/-/v1/login", Route(Kind.LOGIN)),
        ("/-/v1/login/done/abc", Route(Kind.LOGIN_DONE, rest="abc")),
        ("/-/npm/v1/keys", Route(Kind.KEYS)),
        ("/-/npm/v1/user", Route(Kind.PROFILE)),
        ("/-/npm/v1/tokens", Route(Kind.TOKENS)),
        ("/-/npm/v1/tokens/token/abc", Route(Kind.TOKEN, rest="abc")),
        ("/-/npm/v1/security/advisories/bulk", Route(Kind.ADVISORIES)),
        ("/-/npm/v1/security/audits", Route(Kind.AUDIT)),
        ("/-/npm/v1/security/audits/quick", Route(Kind.AUDIT)),
        ("/-/user/org.couchdb.user:alice", Route(Kind.USER, rest="org.couchdb.user:alice")),
        ("/-/user/org.couchdb.user:a/-rev/1", Route(Kind.USER, rest="org.couchdb.user:a", revision="1")),
        ("/-/user/token/abc", Route(Kind.LOGOUT, rest="abc")),
        ("/-/package/@acme/dist-tags", Route(Kind.UNKNOWN, rest="-/package/@acme/dist-tags")),
        ("/-/nothing/here", Route(Kind.UNKNOWN, rest="-/nothing/here")),
        ("/@acme/utils/a/b/c", Route(Kind.UNKNOWN, UTILS, rest="a/b/c")),
        ("/lodash/a/b", Route(Kind.UNKNOWN, LODASH, rest="a/b")),
    ],
)
def test_parse_route_reads_the_protocol(path: str, route: Route) -> None:
    """Each path of the protocol has one meaning."""
    assert parse_route(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "lodash",
        "//",
        "//lodash",
        "/lodash/",
        "/lodash//1.0.0",
        "/./lodash",
        "/lodash/..",
        "/../lodash",
        "/is-even/../is-odd",
        "/is-even;/../is-odd",
        "/is-even;x",
        "/lodash/1.0.0;x",
        "/-/npm/v1/keys;x",
        "/-/user/token/a;b",
        "/is-even#/x",
        "/is-even?/x",
        "/is-even\\x",
        "/is-even\0",
        "/is-even\r\nx",
        "/is even",
        "/@acme%2futils",
        "/@acme%252futils",
        "/%40acme/utils",
        "/@acme",
        "/@acme/..",
        "/@acme/.git",
        "/＠acme/utils",
        "/.git/config",
        "/node_modules",
        "/-/package/@acme/../dist-tags",
        "/@acme/utils/-/../x.tgz",
        "/" + "a" * 215,
        "/lodash/" + "a" * 2048,
    ],
)
def test_parse_route_refuses_what_has_two_readings(path: str) -> None:
    """Dots, empty parts, what was encoded twice and names that are none are refused before anything else."""
    with pytest.raises(BadRequest):
        parse_route(path)


@pytest.mark.parametrize(
    "path",
    [
        "/-/package/@acme/utils/dist-tags/feature/a",
        "/-/package/lodash/dist-tags/feature/a",
        "/-/package/lodash/dist-tags/a/b/c",
    ],
)
def test_tag_with_a_slash_is_refused_as_one(path: str) -> None:
    """Named after a branch, it would be another path; the sentence says what to write instead."""
    with pytest.raises(BadRequest, match="dist-tag has no slash") as caught:
        parse_route(path)
    assert caught.value.code == "invalid-tag"


def test_a_route_without_a_package_is_not_found() -> None:
    """Who needs the package of a route that has none is told that there is nothing."""
    assert parse_route("/@acme/utils").package == UTILS
    with pytest.raises(NotFound):
        _ = parse_route("/-/ping").package


SEGMENTS = st.sampled_from(
    ["-", "-rev", "@acme", "utils", "lodash", "1.0.0", "package", "dist-tags", "npm", "v1", "user", "token",
     "attestations", "@acme@1", "a@1", "@", "..", "", "%2f", "keys", "star", "@acme/utils@1.0.0", "utils-1.0.0.tgz"]
)  # fmt: skip


@given(st.lists(SEGMENTS, max_size=7))
def test_any_path_is_read_or_refused(segments: list[str]) -> None:
    """Nothing but BadRequest comes out; a path with @acme/utils in front is about that package, whatever follows."""
    path = "/" + "/".join(segments)
    with suppress(BadRequest):
        route = parse_route(path)
        if segments[:2] == ["@acme", "utils"]:
            assert route.name == UTILS
        assert route.name is None or str(route.name) in path


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but BadRequest comes out of any text."""
    with suppress(BadRequest):
        parse_route(text)
        parse_route("/" + text)


def test_tarball_under_another_scope_is_no_tarball_of_this_package():
    """Only the own scope is dropped from a tarball's path: nothing is asked for under another name."""
    assert parse_route("/@acme/utils/-/@acme/utils-1.0.0.tgz").filename == "utils-1.0.0.tgz"
    for path in ("/lodash/-/@acme/utils-1.0.0.tgz", "/@other/utils/-/@acme/utils-1.0.0.tgz"):
        assert parse_route(path).kind is Kind.UNKNOWN
