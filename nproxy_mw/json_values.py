"""JSON as clients send it, read strictly: one meaning for every reader, bounded in time and memory.

What JavaScript, Python and Rust read differently is refused: duplicate keys (which one wins?), ``__proto__``, numbers
that one of them rounds, lone surrogates, NaN. A byte order mark is skipped, as npm does with ``package.json``.

Memory: orjson reserves twelve times the text before it reads a byte, so the base64 of an attachment is cut out first
and put back as a string made directly from the body. For a body of 50 MiB that is one attachment, the peak in addition
to the body is once its size (measured with tracemalloc); a ``memoryview`` or a byte order mark costs one more copy.
`MAX_MARKS` refuses a body of many small values before any value is built.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import orjson

from nproxy_mw.errors import BadRequest
from nproxy_mw.garbage import no_collection

Json: TypeAlias = Mapping[str, Any]
"""A JSON object that is never changed in place."""

MAX_DEPTH = 100
"""Containers within containers. A manifest has about 6; orjson itself stops at 1024."""

MAX_MARKS = 2_000_000
"""Quotes, commas, colons and brackets in a document: about 6,000 versions of a packument, read in about a second."""

MAX_DIGITS = 100
"""Digits of a number on one side of its point. A float that is written out has up to 55 that mean something."""

_ATTACHMENT_SIZE = 64 * 1024
_PIECE = 1024 * 1024  # bytes that are looked at in one step: no step keeps other threads waiting for long
_BOM = b"\xef\xbb\xbf"
# A quote before base64 opens a string: a closing one is followed by a comma, colon, bracket or space. So what is cut is
# one whole string, or the document is no JSON with it and without it.
_ATTACHMENT = re.compile(rb'(?<!\\)"[A-Za-z0-9+/=]{%d,}+"' % _ATTACHMENT_SIZE)
# orjson silently turns an integer beyond 64 bits into a float; those have 19 digits at least.
_LONG = 19
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{%d,}(?![0-9.eE])" % _LONG)
_AS_ONES = bytes.maketrans(b"023456789", b"111111111")


def parse_object(
    data: bytes | bytearray | memoryview, what: str = "The request body", *, equal_twins: bool = False
) -> dict[str, Any]:
    """Parses a JSON object. *what* begins the sentence of a refusal.

    *equal_twins* allows a key twice in one object when both values are equal: every reader reads the same then.

    Raises:
        BadRequest: it is not JSON, not an object, or has more than one reading.
    """
    value = parse_value(data, what, equal_twins=equal_twins)
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be a JSON object.", code="invalid-json")
    return value


def parse_value(
    data: bytes | bytearray | memoryview,
    what: str = "The request body",
    *,
    equal_twins: bool = False,
    max_marks: int = MAX_MARKS,
    max_depth: int = MAX_DEPTH,
) -> Any:
    """Parses any JSON value; the body that sets a dist-tag is a string. *what* begins the sentence of a refusal.

    Raises:
        BadRequest: it is not JSON, has more than one reading, or more than *max_marks* quotes, commas, colons and
            brackets, or more than *max_depth* containers within containers.
    """
    text = bytes(data) if isinstance(data, memoryview) else data
    if text[:3] == _BOM:  # bytearray.removeprefix would copy without one too
        text = text[3:]
    if sum(map(text.count, b'",:[{')) > max_marks:
        raise BadRequest(f"{what} holds more values than a JSON document may hold here.", code="invalid-json")
    cut: dict[str, str] = {}
    if len(text) > _ATTACHMENT_SIZE:
        text = _ATTACHMENT.sub(partial(_cut, cut, secrets.token_hex(16)), text)
    skeleton = b"".join(_outside_strings(text))
    long_at = [at for at in range(0, len(skeleton), _PIECE) if _has_digits(_LONG, skeleton, at)]
    if long_at and any(_has_digits(MAX_DIGITS + 1, skeleton, at) for at in long_at):
        raise BadRequest(f"{what} has a number of more than {MAX_DIGITS} digits.", code="invalid-json")
    value = _loaded(text, what)
    keys = _count_keys(value, what, max_depth)
    if keys != skeleton.count(b":") and not (equal_twins and _twins_are_equal(text)):
        raise BadRequest(f"{what} has an object with the same key twice; keep one of the two.", code="invalid-json")
    if long_at and not all(-(2**63) <= int(integer) < 2**64 for integer in _long_integers(skeleton, long_at)):
        raise BadRequest(f"{what} has an integer of more than 64 bits; write it as a string.", code="invalid-json")
    value, count = _put_back(value, cut) if cut else (value, 0)
    if count != len(cut):
        raise BadRequest(f"{what} has a key of more than {_ATTACHMENT_SIZE} characters.", code="invalid-json")
    return value


def dumps(value: Any) -> bytes:
    """Returns *value* as compact JSON in UTF-8."""
    return orjson.dumps(value)


def _cut(cut: dict[str, str], secret: str, match: re.Match[bytes]) -> bytes:
    """Keeps an attachment's text under a mark that no client can guess, and returns the mark as JSON."""
    mark = f"{secret}-{len(cut)}"
    start, end = match.span()
    with memoryview(match.string) as body:
        cut[mark] = str(body[start + 1 : end - 1], "ascii")
    return f'"{mark}"'.encode()


def _put_back(value: Any, cut: Mapping[str, str]) -> tuple[Any, int]:
    """Returns *value* with its marks replaced, and how many there were: fewer than were cut when one was a key."""
    count = 0
    whole = [value]
    left: list[Any] = [whole]
    while left:
        item = left.pop()
        for key, below in list(item.items() if type(item) is dict else enumerate(item)):
            if type(below) is str and below in cut:
                item[key] = cut[below]
                count += 1
            elif type(below) is dict or type(below) is list:
                left.append(below)
    return whole[0], count


def _reason(error: orjson.JSONDecodeError) -> str:
    return error.msg.partition(":")[0].strip()


def _loaded(text: bytes | bytearray, what: str) -> Any:
    try:
        with no_collection():
            return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{what} is not valid JSON: {_reason(error)}.", code="invalid-json") from error


def _outside_strings(text: bytes | bytearray) -> Iterator[bytes]:
    """Yields what stands outside of the strings of *text*: if it is JSON, each colon there belongs to one key."""
    at, is_inside = 0, False
    while at < len(text):
        piece = text[at : at + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:  # the character that is escaped belongs to it
            piece = text[at : at + _PIECE + 1]
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(parts[is_inside::2])
        is_inside ^= len(parts) % 2 == 0
        at += len(piece)


def _has_digits(count: int, skeleton: bytes, at: int) -> bool:
    """Returns whether *count* digits in a row begin in the piece at *at*, or right after it, following a sign."""
    return b"1" * count in skeleton[at : at + _PIECE + count].translate(_AS_ONES)


def _long_integers(skeleton: bytes, pieces: Iterable[int]) -> Iterator[bytes]:
    """Yields the integers that have more digits than always fit, of the *pieces* that have so many in a row.

    *skeleton* is valid JSON without its strings.
    """
    for at in pieces:
        for match in _LONG_INTEGER.finditer(skeleton, at, at + _PIECE + 2 * MAX_DIGITS):
            if match.start() < at + _PIECE:
                yield match[0]


def _twins_are_equal(text: bytes | bytearray) -> bool:
    """Returns whether each key that an object of *text*, valid JSON, has twice has equal values."""

    def has_one_reading(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if found.setdefault(key, value) != value:
                raise ValueError(key)
        return found

    try:
        json.loads(text, object_pairs_hook=has_one_reading)
    except ValueError:
        return False
    return True


def _count_keys(value: Any, what: str, max_depth: int) -> int:
    """Returns how many keys all objects of *value* have; refuses ``__proto__`` and too much depth on the way."""
    count = 0
    level = [value]
    for _ in range(max_depth + 1):
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
    raise BadRequest(f"{what} is nested more than {max_depth} levels deep.", code="invalid-json")
