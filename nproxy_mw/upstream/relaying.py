"""What may pass between a client and the upstream: headers by allow-list, and answers to writes as npm's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from nproxy_mw.errors import Busy, Forbidden, NotFound, NproxyError, UpstreamUnavailable
from nproxy_mw.upstream.documents import UrlRewriter

Headers = Sequence[tuple[str, str]]

FOR_TARBALLS = ("If-None-Match", "If-Modified-Since", "If-Range")
FOR_WRITES = ("Content-Type", "Content-Encoding", "npm-otp", "npm-auth-type", "npm-command")
"""Request headers that go up beside those this registry sets itself."""

OF_TARBALLS = ("Content-Length", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified")
OF_WRITES = ("npm-notice", "Retry-After")
"""Response headers that come down."""

# Visible ASCII, spaces and tabs: a header that holds anything else is dropped.
_VALUE = re.compile(r"[\t -~]*", re.ASCII)
_ONE_RANGE = re.compile(r"bytes=(?:[0-9]+-[0-9]*|-[0-9]+)", re.ASCII)
_LONGEST_WAIT = 3600  # seconds


def passed(headers: Mapping[str, str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Those of *names* that are in *headers* (lower-case names) and are safe to send."""
    found = ((name, headers.get(name.lower(), "")) for name in names)
    return [(name, value) for name, value in found if value and _VALUE.fullmatch(value)]


def one_range(value: str) -> list[tuple[str, str]]:
    """The Range header when it asks for one range; several would come back in an envelope that is no tarball."""
    return [("Range", value)] if _ONE_RANGE.fullmatch(value) else []


def refusal(status: int, retry_after: str, what: str) -> NproxyError:
    """What an upstream's status on a read means to a client that asked for *what*."""
    if status in (404, 410):
        return NotFound(f"The upstream registry has no such {what}.")
    if status in (403, 451):
        return Forbidden(f"The upstream registry does not hand out this {what}.", code="upstream-refused")
    if status in (429, 503):
        wait = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 1
        sentence = "The upstream registry is busy: try again in a while."
        return Busy(sentence, retry_after=min(max(wait, 1), _LONGEST_WAIT), code="upstream-busy")
    if status == 401:
        return UpstreamUnavailable("The upstream registry wants credentials that this registry does not have.")
    return UpstreamUnavailable(f"The upstream registry answered {status}: try again in a while.")


def relayed(status: int, raw: bytes, rewriter: UrlRewriter) -> dict[str, Any]:
    """The body of an answer to a write: never HTML, with a string ``error`` when it failed and none when it did not.

    npm shows ``error`` alone; yarn classic takes a 4xx without it for success, and a 2xx with it for failure.
    """
    try:
        value = orjson.loads(rewriter.to_local(raw))
    except orjson.JSONDecodeError:
        value = None
    said = value if isinstance(value, dict) else {}
    if status < 400:
        return {key: member for key, member in said.items() if key != "error"}
    sentences = (said.get(key) for key in ("error", "message", "reason"))
    sentence = next((text for text in sentences if isinstance(text, str) and text), "")
    sentence = sentence or f"The upstream registry refused this with {status}."
    return {"error": rewriter.to_local_text(sentence), "code": "upstream-refused"}
