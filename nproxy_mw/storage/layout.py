"""What lies where in a store: the kind of an object, told by its key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What an object is."""

    RECORD = auto()
    TARBALL = auto()
    SETTINGS = auto()
    TOKEN = auto()
    KEYS = auto()
    EXCEPTION_REQUESTS = auto()
    CHAIN = auto()  # of the organization's administration
    INDEX = auto()  # one event in the derived index
    CHECKPOINT = auto()
    ORGANIZATION = auto()
    ADMINISTRATOR = auto()
    SESSION = auto()
    PASSING = auto()  # sign-ins that are under way, and counts of failed ones
    CACHE = auto()  # of the upstream's answers, and of what is known about its versions
    UPKEEP = auto()  # of ours: what was seen by an earlier run
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies: *key* within *org*'s own storage, or within the whole store when *org* is None."""

    kind: Kind
    org: str | None
    key: str


HOMES = "orgs"
SYSTEM = "system"
"""The home of the trail that tells of administrators: no organization can be called so."""

COPY = "upkeep/copy.json"
"""In the whole store: that it is a copy, and of what."""

ORPHANS = "upkeep/orphans.json"
"""In each organization's storage: which orphans were seen, and when first."""

_HOME = re.compile(rf"{HOMES}/([^/]+)/(.+)")
_PACKAGE = r"(?:@[^/]+/)?[^/]+"
_DAY = r"[0-9]{4}/[0-9]{2}/[0-9]{2}"


def _table(kinds: dict[str, Kind]) -> list[tuple[re.Pattern[str], Kind]]:
    return [(re.compile(pattern), kind) for pattern, kind in kinds.items()]


_OF_AN_ORGANIZATION = _table(
    {
        rf"packages/{_PACKAGE}/record\.json": Kind.RECORD,
        rf"tarballs/{_PACKAGE}/[^/]+\.tgz": Kind.TARBALL,
        r"settings\.json": Kind.SETTINGS,
        r"tokens/[0-9a-f]{64}\.json": Kind.TOKEN,
        r"keys\.json": Kind.KEYS,
        r"exception-requests\.json": Kind.EXCEPTION_REQUESTS,
        r"audit/administration(?:/[0-9]{6,})?\.json": Kind.CHAIN,
        rf"audit/events/{_DAY}/[^/]+\.json": Kind.INDEX,
        r"audit/checkpoints/[0-9]+\.json": Kind.CHECKPOINT,
        r"(?:cache|upstream|intelligence)/.+": Kind.CACHE,
        r"(?:attempts|logins)/.+": Kind.PASSING,
        re.escape(ORPHANS): Kind.UPKEEP,
    }
)
_OF_THE_STORE = _table(
    {
        r"organisations/[^/]+\.json": Kind.ORGANIZATION,
        r"administrators/[^/]+\.json": Kind.ADMINISTRATOR,
        r"sessions/[^/]+\.json": Kind.SESSION,
        r"(?:attempts|logins)/.+": Kind.PASSING,
        r"(?:cache|upstream|intelligence)/.+": Kind.CACHE,
        r"probe/[0-9a-f]{32}": Kind.UPKEEP,
        re.escape(COPY): Kind.UPKEEP,
    }
)


def place_of(key: str) -> Place:
    """What lies under *key*, a key of the whole store."""
    home = _HOME.fullmatch(key)
    org, own = (home[1], home[2]) if home else (None, key)
    table = _OF_AN_ORGANIZATION if home else _OF_THE_STORE
    kind = next((kind for pattern, kind in table if pattern.fullmatch(own)), Kind.UNKNOWN)
    return Place(kind, org, own)
