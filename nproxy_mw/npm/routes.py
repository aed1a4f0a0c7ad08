"""Every path of the npm protocol, parsed once per request into a `Route`.

The table below is the grammar. A path is matched after WSGI has percent-decoded it: ``%2f`` and ``/`` arrive the same,
and a leading ``@`` keeps that unambiguous. A ``%`` that is still there was encoded twice and is refused, so one name
never has two readings. A route says what a path *means*; the layers say who may do what to it by which verb.

This file must not know which scopes are internal, nor any verb.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache
from urllib.parse import quote

from msgspec import Struct

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.npm.names import Name, parse_name

EXPLAIN_PATH = "/-/nproxy/explain"
"""Below this, a refusal of the security rules is explained."""


def explain_url(base: str, package: str, version: str = "") -> str:
    """Returns the URL below *base* that explains why versions of a package are held."""
    return quote("/".join(filter(None, (f"{base}{EXPLAIN_PATH}", package, version))), safe="%/:[]@~!*()+")


class Kind(Enum):
    """What a path is about."""

    __hash__ = object.__hash__  # that of `Enum` is written in Python, and each layer looks for a kind in its table

    ROOT = auto()
    PACKUMENT = auto()
    PACKUMENT_REVISION = auto()
    MANIFEST = auto()
    """One version, named by number or by tag."""
    TARBALL = auto()
    TARBALL_REVISION = auto()
    DIST_TAGS = auto()
    DIST_TAG = auto()
    PACKAGE_ASPECT = auto()
    """Access, owners, visibility, collaborators, trust: what npm keeps of a package beyond its versions."""
    STAR = auto()
    STAGE = auto()
    OIDC = auto()
    """A token of a CI service in exchange for one of the registry."""
    ATTESTATIONS = auto()
    PING = auto()
    WHOAMI = auto()
    SEARCH = auto()
    KEYS = auto()
    ADVISORIES = auto()
    """The bulk audit of npm 7 and newer."""
    AUDIT = auto()
    """The quick audit of older clients: a whole tree."""
    PROFILE = auto()
    TOKENS = auto()
    TOKEN = auto()
    LOGIN = auto()
    LOGIN_DONE = auto()
    USER = auto()
    LOGOUT = auto()
    EXPLAIN = auto()
    """Why a package or one of its versions is held: no path of npm's, but this registry's own."""
    UNKNOWN = auto()
    """No path of the protocol; when it begins like a package's, it still carries the package's name."""


class Route(Struct, frozen=True):
    """A parsed path. *name* is the package it is about; the strings are empty where the path has no such part."""

    kind: Kind
    name: Name | None = None
    version: str = ""  # a version or a dist-tag
    filename: str = ""  # of a tarball, without a scope
    tag: str = ""
    revision: str = ""
    rest: str = ""  # the part of a path that has no meaning here: a user, an aspect, an id

    @property
    def package(self) -> Name:
        """The package that the path is about.

        Raises:
            NotFound: it is about none.
        """
        if self.name is None:
            raise NotFound("This registry keeps nothing under that path.", code="route-not-found")
        return self.name


# Longest first where one is the beginning of another. {name} takes two segments when the first begins with @.
_TABLE: Sequence[tuple[str, Kind]] = (
    ("-/ping", Kind.PING),
    ("-/whoami", Kind.WHOAMI),
    ("-/v1/search", Kind.SEARCH),
    ("-/v1/login", Kind.LOGIN),
    ("-/v1/login/done/{rest}", Kind.LOGIN_DONE),
    ("-/npm/v1/keys", Kind.KEYS),
    ("-/npm/v1/user", Kind.PROFILE),
    ("-/npm/v1/tokens", Kind.TOKENS),
    ("-/npm/v1/tokens/token/{rest}", Kind.TOKEN),
    ("-/npm/v1/security/advisories/bulk", Kind.ADVISORIES),
    ("-/npm/v1/security/audits", Kind.AUDIT),
    ("-/npm/v1/security/audits/quick", Kind.AUDIT),
    ("-/npm/v1/attestations/{name}@{version}", Kind.ATTESTATIONS),
    ("-/npm/v1/oidc/token/exchange/package/{name}", Kind.OIDC),
    ("-/stage/package/{name}", Kind.STAGE),
    ("-/package/{name}/dist-tags", Kind.DIST_TAGS),
    ("-/package/{name}/dist-tags/{tag}", Kind.DIST_TAG),
    ("-/package/{name}/{rest}", Kind.PACKAGE_ASPECT),
    ("-/user/package/{name}/star", Kind.STAR),
    ("-/user/token/{rest}", Kind.LOGOUT),
    ("-/user/{rest}", Kind.USER),
    ("-/user/{rest}/-rev/{revision}", Kind.USER),
    (f"{EXPLAIN_PATH[1:]}/{{name}}", Kind.EXPLAIN),
    (f"{EXPLAIN_PATH[1:]}/{{name}}/{{version}}", Kind.EXPLAIN),
    ("{name}", Kind.PACKUMENT),
    ("{name}/-rev/{revision}", Kind.PACKUMENT_REVISION),
    ("{name}/-/{filename}", Kind.TARBALL),
    ("{name}/-/{filename}/-rev/{revision}", Kind.TARBALL_REVISION),
    ("{name}/{version}", Kind.MANIFEST),
)
_SPLIT = [(pattern.split("/"), kind) for pattern, kind in _TABLE]
_OF_PACKAGES = [row for row in _SPLIT if row[0][0] == "{name}"]
_OTHERS = [row for row in _SPLIT if row[0][0] == "-"]

# Segments of visible ASCII but for what a URL gives another meaning or a file system reads differently, none of dots
# alone. A '%' that is left after decoding was encoded twice.
_PATH = re.compile(r"(?:/(?!\.*(?:/|\Z))[A-Za-z0-9@._~!$&'()*+,:=-]+)+", re.ASCII)
# A scoped tarball as clients name it in the document they publish: /@acme/utils/-/@acme/utils-1.0.0.tgz.
_SCOPED_FILE = re.compile(r"^(/(@[^/]+)/[^/]+/-/)\2/(?=[^/]+(?:/-rev/|$))")


_TAG_WITH_SLASH = re.compile(r"/-/package/(?:@[^/]+/)?[^@/][^/]*/dist-tags/[^/]+/")

MAX_LENGTH = 2048
"""Characters of a path. A name has at most 214, a version 256, and the path of a tarball holds both, the name twice."""


@lru_cache(maxsize=4096)
def parse_route(path: str) -> Route:
    """Parses a decoded path (WSGI's PATH_INFO). The last paths are remembered: installs ask for the same ones, and a
    large one asks for 2,000.

    Raises:
        BadRequest: it holds a character or a segment that no path of the protocol has, or a name that is none.
    """
    if path in ("", "/"):
        return Route(Kind.ROOT)
    if len(path) > MAX_LENGTH:
        raise BadRequest(f"A path has at most {MAX_LENGTH} characters.")
    plain = _SCOPED_FILE.sub(r"\1", path)
    if not _PATH.fullmatch(plain):
        raise BadRequest("The path holds something no npm path has (an empty or dotted part, or a strange character).")
    segments = plain[1:].split("/")
    for pattern, kind in _OTHERS if segments[0] == "-" else _OF_PACKAGES:
        values = _match(pattern, segments)
        if values is not None:
            return _route(kind, values)
    if _TAG_WITH_SLASH.match(path):
        raise BadRequest("A dist-tag has no slash in its name: write feature-a for feature/a.", code="invalid-tag")
    if segments[0] == "-":
        return Route(Kind.UNKNOWN, rest="/".join(segments))
    taken = 2 if segments[0].startswith("@") else 1
    return Route(Kind.UNKNOWN, parse_name("/".join(segments[:taken])), rest="/".join(segments[taken:]))


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """The values of a pattern's places, or None when the segments are not of its form."""
    values: dict[str, str] = {}
    at = 0
    for expected in pattern:
        is_name = expected.startswith("{name}")
        width = 2 if is_name and at < len(segments) and segments[at].startswith("@") else 1
        text = "/".join(segments[at : at + width])
        at += width
        if at > len(segments):
            return None
        if expected == "{name}@{version}":
            values["name"], _, values["version"] = text[1:].partition("@")
            values["name"] = text[0] + values["name"]
        elif expected.startswith("{"):
            if text == "-" or text == "-rev":
                return None
            values[expected[1:-1]] = text
        elif text != expected:
            return None
    return values if at == len(segments) else None


def _route(kind: Kind, values: dict[str, str]) -> Route:
    name = values.pop("name", None)
    return Route(kind, parse_name(name) if name is not None else None, **values)
