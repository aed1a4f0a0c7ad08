"""A packument split into raw slices of its JSON: its outline is read, and nothing below it is built.

A public packument may have 20 MB, and a registry passes nearly all of it on as it is. So the top level and each
manifest become mappings from a key to the raw JSON of its value (`msgspec.Raw`, a view of the document's own bytes).
What changes on the way out is one slice among many (`nproxy_mw.npm.forms`).

A document comes from outside, so:

- It is bounded before anything of it is built: its bytes and commas bound all that is made of it. Who builds the
  values below asks `check_values` first.
- It must not contradict its own name. A packument of another package, or a version that is filed under another package
  or number, is refused whole, so that no name can be answered with the content of another.
- The last of equal keys counts, as in JavaScript. A key ``__proto__`` is dropped, at any depth.
- A byte order mark is skipped, and text that was cut in the middle of a character is repaired: registries cut long
  readmes at a number of bytes. Everything else that is not JSON is refused.
- Every version stays, also under a number that is not strict semver (``3.0.0rc5``). Only a key that cannot stand in a
  URL is dropped, because no client could ask for it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from nproxy_mw.errors import NproxyError, UpstreamUnavailable
from nproxy_mw.times import time_in

T = TypeVar("T")

Members: TypeAlias = Mapping[str, Raw]
"""A JSON object: each key with the raw JSON of its value."""

ABSENT = Raw(b"")
"""Instead of a field that is absent."""

MAX_BYTES = 128 * 2**20  # the largest public packuments have some 30 MiB
MAX_COMMAS = 2_000_000  # one of 21 MB has 720,000
MAX_OBJECTS = 1_000_000  # opening braces; one of 21 MB has 36,000
LIGHT = 250_000  # members of a light packument; one of 21 MB has 60,000

_BOM = b"\xef\xbb\xbf"
_PROTO = "__proto__"
_PIECE = 2**20  # bytes that are checked to be UTF-8 at once
# A backslash before another, a whole surrogate pair (both stay), or half of one, which is not text.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_HALF = 6  # bytes of one \uXXXX
# What a segment of an npm URL holds, see `nproxy_mw.npm.routes`.
_NAMEABLE = re.compile(r"[A-Za-z0-9@_~!$&'()*+,:=-][A-Za-z0-9@._~!$&'()*+,:=-]{0,255}", re.ASCII)
_NAMEABLE_LINES = re.compile(f"(?:{_NAMEABLE.pattern}\n)*+", re.ASCII)
MEMBERS = msgspec.json.Decoder(dict[str, Raw])
VERSIONS = msgspec.json.Decoder(dict[str, dict[str, Raw]])
_ITEMS = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
_INTEGER = msgspec.json.Decoder(int)
_EMPTY = Raw(b"{}")
# A part may be too deep for a reader who stands deeper in the program than who split the whole.
UNREADABLE = (msgspec.ValidationError, RecursionError)


class Packument(Struct, frozen=True):
    """The packument of the package *name*, split.

    *members* are those of the top level but for ``versions`` and ``dist-tags``. *versions* are the manifests by
    version, in the document's order; each has ``name``, ``version`` and an object as its ``dist``. *tags* are the
    dist-tags; one may point at a version that is not there.
    """

    name: str
    members: Members
    versions: Mapping[str, Members]
    tags: Mapping[str, str]
    withheld: Mapping[str, Callable[[], NproxyError]] = field(default_factory=dict)

    @property
    def is_light(self) -> bool:
        """Whether it takes no more than some 30 MB in addition to the document's text."""
        return len(self.members) + sum(map(len, self.versions.values())) <= LIGHT


def outline(raw: bytes) -> dict[str, Raw]:
    """Splits a JSON object into its members.

    Raises:
        UpstreamUnavailable: it is larger than the bounds, or not a JSON object.
    """
    return members_in(readable(raw))


def split(outlined: Members, name: str) -> Packument:
    """Splits the packument of the package *name*, of which `outline` returned *outlined*.

    Raises:
        UpstreamUnavailable: it is not a packument, or contradicts its name.
    """
    members = dict(outlined)
    if "versions" not in members and not members.keys() & {"name", "_id"}:
        raise UpstreamUnavailable("The upstream registry's answer is not a packument.")
    return joined(members, _decoded(VERSIONS, members.pop("versions", _EMPTY)), name)


def joined(members: dict[str, Raw], versions: dict[str, dict[str, Raw]], name: str) -> Packument:
    """Returns the packument of *members* and *versions*. Raises as `split`."""
    if as_text(members.setdefault("name", as_raw(name))) != name:
        raise UpstreamUnavailable("The upstream registry answered with another package than the one asked for.")
    tags = {tag: as_text(version) for tag, version in _decoded(MEMBERS, members.pop("dist-tags", _EMPTY)).items()}
    if not is_object(members.get("time", _EMPTY)):
        del members["time"]
    raw_name = as_raw(name)
    return Packument(
        name,
        members,
        {key: checked(manifest, raw_name, key) for key, manifest in versions.items() if is_nameable(key)},
        {tag: version for tag, version in tags.items() if version},
    )


def readable(raw: bytes) -> bytes:
    """Returns *raw* as JSON that is within the bounds, UTF-8, and without a key ``__proto__``. Raises as `outline`."""
    check_size(raw)
    text = raw.removeprefix(_BOM)
    if not (text.isascii() or _is_utf8(text)):
        text = text.decode("utf-8", "replace").encode()
    return _without_proto(text) if b'"__proto__"' in text else text


def members_in(text: bytes) -> dict[str, Raw]:
    """Splits *text*, which `readable` returned. Raises as `outline`."""
    try:
        return MEMBERS.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _decoded(MEMBERS, _SURROGATES.sub(_whole_or_replaced, text))


def check_size(raw: bytes) -> None:
    """Passes when *raw* is small enough to be split: of each object that is taken apart, all members but one have a
    comma. It is counted only where there can be too many.

    Raises:
        UpstreamUnavailable: it is not.
    """
    if len(raw) > MAX_BYTES or (len(raw) > MAX_COMMAS and raw.count(b",") > MAX_COMMAS):
        raise _too_large()


def check_values(raw: bytes) -> None:
    """Passes when *raw* is small enough for values of all that is in it. Raises as `check_size`."""
    check_size(raw)
    if raw.count(b"{") > MAX_OBJECTS:
        raise _too_large()


def members_of(raw: Raw | None) -> dict[str, Raw]:
    """Returns the members of the JSON object in *raw*; none when it is something else, or None."""
    try:
        return {} if raw is None else MEMBERS.decode(raw)
    except UNREADABLE:
        return {}


def as_text(raw: Raw | None) -> str | None:
    """Returns the string that *raw* holds; None when it is something else, or None."""
    try:
        return None if raw is None or raw is ABSENT else _TEXT.decode(raw)
    except UNREADABLE:
        return None


def as_count(raw: Raw | None) -> int | None:
    """Returns the integer that *raw* holds; None when it is something else, or None."""
    try:
        return None if raw is None or raw is ABSENT else _INTEGER.decode(raw)
    except UNREADABLE:
        return None


def as_time(raw: Raw | None) -> datetime | None:
    """Returns the time that *raw* holds, in UTC; None when it is something else, or None."""
    return time_in(as_text(raw) or "")


def list_of(raw: Raw | None) -> list[Raw]:
    """Returns the items of the JSON array in *raw*; none when it is something else, or None."""
    try:
        return [] if raw is None else _ITEMS.decode(raw)
    except UNREADABLE:
        return []


def fields_of(decoder: msgspec.json.Decoder[T], raw: Raw | None, none: T) -> T:
    """Returns the fields that *decoder* reads of the JSON object in *raw*; *none* when it is something else, or None.

    A decoder of a struct whose fields are `Raw` skips the other members, however many there are.
    """
    try:
        return none if raw is None or raw is ABSENT else decoder.decode(raw)
    except UNREADABLE:
        return none


def is_nameable(version: str) -> bool:
    """Returns whether *version* can be asked for: strict semver or not, it can be part of a URL."""
    return bool(_NAMEABLE.fullmatch(version)) and version != _PROTO


def are_nameable(versions: Collection[str]) -> bool:
    """Returns whether `is_nameable` is true of all *versions*: one look for thousands."""
    lines = "".join(f"{version}\n" for version in versions)
    return bool(_NAMEABLE_LINES.fullmatch(lines)) and lines.count("\n") == len(versions) and _PROTO not in versions


def checked(manifest: dict[str, Raw], name: Raw, version: str) -> Members:
    """Returns *manifest* with what every manifest has. *name* is the package's, as JSON. Raises as `split`."""
    number = manifest.setdefault("version", ABSENT)
    if number is ABSENT:
        manifest["version"] = as_raw(version)
    elif as_text(number) != version:
        raise _misfiled()
    if manifest.setdefault("name", name) != name and as_text(manifest["name"]) != as_text(name):
        raise _misfiled()
    if "dist" not in manifest or not is_object(manifest["dist"]):
        manifest["dist"] = _EMPTY
    return manifest


def _misfiled() -> UpstreamUnavailable:
    return UpstreamUnavailable("The upstream registry files a version under another package or number.")


def is_object(raw: Raw) -> bool:
    """Returns whether *raw*, which is valid JSON, holds an object."""
    return memoryview(raw)[0] == ord("{")


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes | Raw) -> T:
    try:
        return decoder.decode(raw)
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.DecodeError as error:
        raise UpstreamUnavailable(
            "The upstream registry's answer is not the JSON that its protocol promises."
        ) from error


def as_raw(text: str) -> Raw:
    """Returns *text* as JSON."""
    return Raw(msgspec.json.encode(text))


def _is_utf8(text: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(text), _PIECE):  # in pieces, because the text may need four times its bytes
            decoder.decode(text[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _whole_or_replaced(match: re.Match[bytes]) -> bytes:
    found = match.group()
    return rb"\ufffd" if len(found) == _HALF else found


def _without_proto(text: bytes) -> bytes:
    """Returns the JSON in *text* without any key ``__proto__``: it is rare enough to be built and written anew."""
    check_values(text)
    whole = [_decoded(msgspec.json.Decoder(), _SURROGATES.sub(_whole_or_replaced, text))]
    left: list[Any] = [whole]
    while left:
        item = left.pop()
        if type(item) is dict:
            item.pop(_PROTO, None)
        left.extend(below for below in (item.values() if type(item) is dict else item) if type(below) in (dict, list))
    try:
        return msgspec.json.encode(whole[0])
    except RecursionError as error:
        raise _too_deep() from error


def _too_large() -> UpstreamUnavailable:
    return UpstreamUnavailable("The upstream registry's answer is larger than this registry reads.")


def _too_deep() -> UpstreamUnavailable:
    return UpstreamUnavailable("The upstream registry's answer is nested too deeply to be read.")
