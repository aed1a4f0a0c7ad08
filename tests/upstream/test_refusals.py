"""What the upstream said, and what a client is told: the table, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest, Busy, ClientError, Forbidden, NotFound, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.npm.slices import outline
from nproxy_mw.upstream.refusals import error_of, is_error_object, reason_of, refusal, seconds_to_wait
from nproxy_mw.upstream.relaying import passed, relayed
from nproxy_mw.upstream.rewriting import UrlRewriter

OURS = "https://npm.acme.example/npm"
UPSTREAM = "https://upstream.example"
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ((404, 410), NotFound),
        ((401, 402, 403, 451), Forbidden),
        ((400, 405, 406, 409, 413, 418, 422, 499), BadRequest),
        ((429, 503), Busy),
        ((408, 425, 504), UpstreamTimeout),
        ((201, 204, 206, 301, 304, 416, 500, 501, 502, 599, 600, 999), UpstreamUnavailable),
    ],
)
def test_each_status_has_its_meaning(statuses: tuple[int, ...], error: type[Exception]) -> None:
    """What will not change soon is never answered with a 5xx, which clients try again."""
    assert {type(refusal(status, "package")) for status in statuses} == {error}


@pytest.mark.parametrize("status", range(200, 600))
def test_sentence_names_what_was_asked_for(status: int) -> None:
    """Each is a sentence, and a reason stands at its end, with one full stop."""
    error = refusal(status, "tarball", "Blocked. Ask the security team.")
    assert error.message.endswith(".")
    assert not error.message.endswith("..")
    permanent = isinstance(error, ClientError)
    assert ("tarball" in error.message) is permanent
    assert error.message.endswith("tarball: Blocked. Ask the security team.") is (
        permanent and not isinstance(error, NotFound)
    )


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("17", 17),
        ("0", 1),
        ("", 1),
        ("999999", 3600),
        ("9" * 5000, 3600),
        ("-5", 1),
        ("²", 1),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 1),
        ("Thu, 22 Oct 2026 07:28:00 GMT", 3600),
        ("Wed, 21 Oct 2026", 1),
        ("soon", 1),
    ],
)
def test_waits_are_bounded(said: str, wait: int) -> None:
    """Given in seconds or as a date; an upstream does not decide to stop a client for a day."""
    assert seconds_to_wait(said, NOW) == wait
    error = refusal(429, "package", retry_after=said, now=NOW)
    assert isinstance(error, Busy)
    assert error.retry_after == wait


@given(st.text(max_size=40))
def test_any_retry_after_is_a_wait(said: str) -> None:
    """Whatever the header holds."""
    assert 1 <= seconds_to_wait(said, NOW) <= 3600


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"error": "No."}, "No."),
        ({"error": "", "message": "No."}, "No."),
        ({"error": {"code": 7, "message": "No."}}, "No."),
        ({"errors": [{"status": 403, "message": "No."}]}, "No."),
        ({"errors": ["No."]}, "No."),
        ({"reason": "No."}, "No."),
        ({"type": "about:blank", "title": "Forbidden", "detail": "No."}, "No."),
        ({"error": "one\r\n\ttwo\x1b[31m  three\u2028four"}, "one two [31m three four"),
        ({"error": "x" * 5000}, "x" * 300),
        ({"error": 7, "errors": [7, {}, []]}, ""),
        ({"errors": {}}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_reason_is_found_where_registries_put_it(document: Any, reason: str) -> None:
    """On one line, and not too long to read."""
    assert reason_of(orjson.dumps(document)) == reason


@given(st.binary(max_size=100))
def test_any_body_has_a_reason_or_none(raw: bytes) -> None:
    """Nothing comes out but text."""
    assert reason_of(raw).isprintable()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"error": "not_found", "reason": "missing"}, NotFound),
        ({"error": "Not found"}, NotFound),
        ({"error": "unauthorized"}, Forbidden),
        ({"errors": [{"status": 404, "message": "x"}]}, NotFound),
        ({"errors": [{"status": 403}]}, Forbidden),
        ({"error": "x", "status": 451}, Forbidden),
        ({"error": "x", "status": 200}, UpstreamUnavailable),
        ({"error": "boom"}, UpstreamUnavailable),
        ({"errors": []}, UpstreamUnavailable),
    ],
)
def test_error_object_means_what_it_says(document: Any, error: type[Exception]) -> None:
    """Some upstreams say with status 200 that something went wrong."""
    members = outline(orjson.dumps(document))
    assert is_error_object(members)
    assert type(error_of(members, "package", str)) is error


@pytest.mark.parametrize("document", [{}, {"name": "x"}, {"versions": {}, "error": "the name of a field"}])
def test_document_is_no_error_object(document: Any) -> None:
    """A packument may hold any field."""
    assert not is_error_object(outline(orjson.dumps(document)))


def test_headers_pass_by_name_and_by_character() -> None:
    """Nothing that could end a header line or begin another."""
    given_headers = {"etag": '"x"', "x-a": "1", "npm-notice": "a\r\nSet-Cookie: b", "retry-after": "5\x00", "vary": "é"}
    assert passed(given_headers, ["ETag", "npm-notice", "Retry-After", "Vary", "Absent"]) == [("ETag", '"x"')]


def test_relayed_refusal_says_nothing_else() -> None:
    """Neither the upstream's host nor fields a client could act on elsewhere."""
    raw = (
        b'{"error": "No. See https://upstream.example/x or upstream.example", "authUrl": "https://upstream.example/a"}'
    )
    assert relayed(403, raw, UrlRewriter(UPSTREAM, OURS)) == {
        "error": f"No. See {OURS}/x or the upstream registry",
        "code": "upstream-refused",
    }
