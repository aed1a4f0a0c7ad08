"""What may pass between a client and the upstream: headers by allow-list, and answers to writes as npm's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from nproxy_mw.upstream.refusals import reason_of
from nproxy_mw.upstream.rewriting import UrlRewriter

FOR_WRITES = ("Content-Type", "Content-Encoding", "npm-otp", "npm-auth-type", "npm-command")
"""Request headers that go up with a write, besides those this registry sets itself."""

OF_WRITES = ("npm-notice", "Retry-After")
"""Response headers that come down with the answer to a write."""

# Visible ASCII, spaces and tabs: a header that holds anything else is dropped.
_VALUE = re.compile(r"[\t -~]*", re.ASCII)


def passed(headers: Mapping[str, str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns those of *names* that are in *headers* (lower-case names) and are safe to send."""
    found = ((name, headers.get(name.lower(), "")) for name in names)
    return [(name, value) for name, value in found if value and _VALUE.fullmatch(value)]


def relayed(status: int, raw: bytes, rewriter: UrlRewriter) -> dict[str, Any]:
    """Returns the body of an answer to a write: never HTML, with a string ``error`` if and only if the write failed.

    npm shows ``error`` alone; yarn classic takes a 4xx without it for success, and a 2xx with it for failure.
    """
    raw = rewriter.to_local(raw)
    if status < 400:
        return {key: member for key, member in _object(raw).items() if key != "error"}
    sentence = reason_of(raw) or f"The upstream registry refused this with {status}."
    return {"error": rewriter.to_local_text(sentence), "code": "upstream-refused"}


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
