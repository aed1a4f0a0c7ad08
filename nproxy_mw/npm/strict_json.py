"""JSON as clients send it, read strictly: one meaning for every reader, bounded in time and memory.

What JavaScript, Python and Rust read differently is refused: duplicate keys (which one wins?), ``__proto__``, numbers
that one of them rounds, lone surrogates, NaN. A byte order mark is skipped, as npm does with ``package.json``.

Memory, for a body of 50 MiB that is one base64 string: orjson builds that string out of the body without another
copy, and the skeleton below is a few bytes, so the peak beside the body is once its size (measured: 1.0). A
``memoryview``, or a body with a byte order mark, costs one copy more. A body made of many small values is refused by
`MAX_MARKS` before a value of it is built.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from nproxy_mw.errors import BadRequest

MAX_DEPTH = 100
"""Containers within containers. A manifest has about 6; orjson itself stops at 1024."""

MAX_MARKS = 2_000_000
"""Quotes, commas, colons and brackets in a document: about 6,000 versions of a packument, read in about a second."""

_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# orjson turns an integer beyond 64 bits into a float without a word; those have 19 digits at least.
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9.eE])")


def parse_object(data: bytes | bytearray | memoryview, what: str = "The request body") -> dict[str, Any]:
    """Parses a JSON object. *what* begins the sentence of a refusal.

    Raises:
        BadRequest: it is not JSON, not an object, or has more than one reading.
    """
    value = parse_value(data, what)
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be a JSON object.", code="invalid-json")
    return value


def parse_value(data: bytes | bytearray | memoryview, what: str = "The request body") -> Any:
    """Parses any JSON value; the body that sets a dist-tag is a string. *what* begins the sentence of a refusal.

    Raises:
        BadRequest: it is not JSON, or has more than one reading.
    """
    text = bytes(data) if isinstance(data, memoryview) else data
    if text[:3] == _BOM:  # bytearray.removeprefix would copy without one too
        text = text[3:]
    if sum(text.count(mark) for mark in b'",:[{') > MAX_MARKS:
        raise BadRequest(f"{what} holds more values than a JSON document may hold here.", code="invalid-json")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"{what} is not valid JSON: {_reason(error)} at {where}.", code="invalid-json") from error
    _check_single_reading(value, _STRING.sub(b"", text), what)
    return value


def dumps(value: Any) -> bytes:
    """Writes *value* as compact JSON in UTF-8."""
    return orjson.dumps(value)


def _reason(error: orjson.JSONDecodeError) -> str:
    return error.msg.partition(":")[0].strip()


def _check_single_reading(value: Any, skeleton: bytes, what: str) -> None:
    """Refuses what readers disagree on. *skeleton* is the text without its strings: each colon in it is one key."""
    if _count_keys(value, what) != skeleton.count(b":"):
        raise BadRequest(f"{what} has an object with the same key twice; keep one of the two.", code="invalid-json")
    for match in _LONG_INTEGER.finditer(skeleton):
        if not -(2**63) <= int(match.group()) < 2**64:
            raise BadRequest(f"{what} has an integer of more than 64 bits; write it as a string.", code="invalid-json")


def _count_keys(value: Any, what: str) -> int:
    """How many keys all objects of *value* have; refuses ``__proto__`` and depth on the way."""
    count = 0
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                if "__proto__" in item:
                    raise BadRequest(f"{what} has a key named __proto__; rename it.", code="invalid-json")
                count += len(item)
                below.extend(item.values())
            elif type(item) is list:
                below.extend(item)
        if not below:
            return count
        level = below
    raise BadRequest(f"{what} is nested more than {MAX_DEPTH} levels deep.", code="invalid-json")
