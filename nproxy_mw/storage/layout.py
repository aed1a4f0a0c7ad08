"""The one map of a store: each kind of object, where it is, and what ``copy``, ``check`` and ``gc`` do with it.

Keys are made and read here and nowhere else. An organization's objects are below its home, ``orgs/<id>/``, which is a
storage of its own (`home`); the others are in the whole store. The folder of organizations keeps the spelling that it
had when the first store was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, IntEnum, auto
from functools import cached_property

from msgspec import Struct

from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed

SYSTEM = "system"
"""The organization whose trail records administrators and sessions. No tenant can have this id."""

_HOMES = "orgs"


class Scope(Enum):
    """What an object belongs to."""

    STORE = auto()
    ORGANIZATION = auto()


class Stage(IntEnum):
    """When ``copy`` carries an object over: in this order, so that the destination can be served from the beginning.

    Chains come first, because they show whether the destination was changed on its own. Settings come before packages,
    because a server that does not know an internal scope would ask the upstream for its packages.
    """

    CHAINS = auto()
    SETTINGS = auto()
    ACCESS = auto()
    PACKAGES = auto()
    REST = auto()


class Care(Enum):
    """What ``check`` does with an object."""

    VERIFIED = auto()  # as part of a package, a chain, the index or the checkpoints
    COMPARED = auto()  # with the audit events about it
    IGNORED = auto()  # it is gone soon
    REPORTED = auto()  # nothing of ours is stored there


class ObjectKind(Struct, frozen=True, eq=False, dict=True):
    """One kind of object. *template* is its key with ``{}`` for each of *parts*, which are regular expressions.

    If *copied* is None, ``copy`` leaves it behind. *mirrored* objects let people in, so ``copy`` also removes those
    that the source no longer has. ``gc`` removes *passing* objects when their time is over.
    """

    name: str
    scope: Scope
    template: str
    parts: tuple[str, ...] = ()
    copied: Stage | None = None
    mirrored: bool = False
    passing: bool = False
    care: Care = Care.VERIFIED

    @cached_property
    def folder(self) -> str:
        """The folder above all objects of this kind."""
        return self.template.partition("{")[0].rstrip("/")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        literals = map(re.escape, re.split(r"\{[^}]*\}", self.template))
        return re.compile("".join(piece for pair in zip(literals, [*self.parts, ""], strict=True) for piece in pair))

    def key(self, *parts: object) -> str:
        """Returns the key of the object that *parts* name."""
        return self.template.format(*parts)

    def parse(self, key: str) -> tuple[str, ...] | None:
        """Returns the parts of *key*, or None when it is no key of this kind."""
        match = self._pattern.fullmatch(key)
        return match.groups() if match else None

    def keys(self, storage: Storage) -> Iterator[str]:
        """Yields the keys of all objects of this kind on *storage*; of a single one, whether it exists or not."""
        if not self.parts:
            yield self.template
            return
        for key in storage.list(self.folder):
            if self.parse(key) is not None:
                yield key

    def names(self, storage: Storage) -> Iterator[str]:
        """Yields the first part of the key of each object of this kind on *storage*."""
        for key in storage.list(self.folder):
            if parts := self.parse(key):
                yield parts[0]


_STORE, _ORGANIZATION = Scope.STORE, Scope.ORGANIZATION
_PACKAGE = r"((?:@[^/]+/)?[^/]+)"
_NAME = r"([^/]+)"
_SHA256 = r"([0-9a-f]{64})"

RECORD = ObjectKind("record", _ORGANIZATION, "packages/{}/record.json", (_PACKAGE,), Stage.PACKAGES)
TARBALL = ObjectKind("tarball", _ORGANIZATION, "tarballs/{}/{}", (_PACKAGE, r"([^/]+\.tgz)"))
"""``copy`` carries a tarball over with the record that names it; one that no record names stays behind."""

PART = ObjectKind("part", _ORGANIZATION, "parts/{}/{}", (_PACKAGE, r"([0-9a-f]{64}-[0-9a-f]{8}\.json)"))
"""Versions or events that a package's record has grown out of. ``copy`` treats it as a tarball."""

SETTINGS = ObjectKind("settings", _ORGANIZATION, "settings.json", (), Stage.SETTINGS, mirrored=True, care=Care.COMPARED)
KEYS = ObjectKind("keys", _ORGANIZATION, "keys.json", (), Stage.SETTINGS, mirrored=True, care=Care.COMPARED)
TOKEN = ObjectKind(
    "token", _ORGANIZATION, "tokens/{}.json", (_SHA256,), Stage.ACCESS, mirrored=True, care=Care.COMPARED
)
EXCEPTION_REQUESTS = ObjectKind(
    "exception requests", _ORGANIZATION, "exception-requests.json", (), Stage.REST, care=Care.COMPARED
)
CHAIN = ObjectKind("chain", _ORGANIZATION, "audit/administration.json", (), Stage.CHAINS)
"""The newest segment of the administration's chain. Full ones are set aside under a number."""

SEGMENT = ObjectKind("segment", _ORGANIZATION, "audit/administration/{:06}.json", (r"([0-9]{6,})",), Stage.CHAINS)
INDEX = ObjectKind(
    "index", _ORGANIZATION, "audit/index/{}/{}.json", (r"([0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2})", _NAME), Stage.REST
)
"""The events of one change in the derived index: its hour, then what `nproxy_mw.audit.index` says of it."""

EVENT_INDEX = ObjectKind(
    "event index", _ORGANIZATION, "audit/events/{}/{}.json", (r"([0-9]{4}/[0-9]{2}/[0-9]{2})", _NAME), Stage.REST
)
"""One event in the index that earlier versions wrote: its day, then its time, id and kind."""

INSTALLS = ObjectKind(
    "installs", _ORGANIZATION, "installs/{}/{}.json", (r"([0-9]{4}/[0-9]{2}/[0-9]{2})", _NAME), Stage.REST,
    care=Care.IGNORED,
)  # fmt: skip
"""Part of the ledger of installs: its day, then the hour and process that wrote it."""

CHECKPOINT = ObjectKind("checkpoint", _ORGANIZATION, "audit/checkpoints/{:08}.json", ("([0-9]+)",), Stage.REST)
DIRTY = ObjectKind("dirty mark", _ORGANIZATION, "upkeep/dirty/{}.json", (_NAME,), care=Care.IGNORED)
"""That a process may have stored what the trail does not show yet: when it was written, and random digits."""

MENDED = ObjectKind("mended", _ORGANIZATION, "upkeep/mended.json", care=Care.IGNORED)
"""When everything was last looked at for what the trail does not show."""

LOGIN = ObjectKind("login", _ORGANIZATION, "logins/{}.json", (_NAME,), passing=True, care=Care.IGNORED)
ORPHANS = ObjectKind("orphans", _ORGANIZATION, "upkeep/orphans.json", care=Care.IGNORED)
"""Which orphans ``gc`` saw, and when first."""

KNOWLEDGE = ObjectKind("knowledge", _ORGANIZATION, "knowledge.json", care=Care.IGNORED)
"""When the OSV database was built that the trail told of last."""

ORGANIZATION = ObjectKind("organization", _STORE, "organisations/{}.json", (_NAME,), Stage.SETTINGS, care=Care.COMPARED)
ADMINISTRATOR = ObjectKind(
    "administrator", _STORE, "administrators/{}.json", (_NAME,), Stage.ACCESS, mirrored=True, care=Care.COMPARED
)
SESSION = ObjectKind(
    "session", _STORE, "sessions/{}.json", (_NAME,), None, mirrored=True, passing=True, care=Care.COMPARED
)
SESSION_MARK = ObjectKind(
    "session mark", _STORE, "sessions-by-account/{}/{}.json", (_NAME, r"([0-9]{8}T[0-9.]{10}Z-[0-9a-f]{64})"),
    passing=True, care=Care.IGNORED,
)  # fmt: skip
"""Whose a session is, and when it ends: what lists of sessions are made of."""

ATTEMPTS = ObjectKind("attempts", _STORE, "attempts/{}/{}.json", (_NAME, _NAME), passing=True, care=Care.IGNORED)
"""How often signing in failed by one name, or from one network."""

PROBE = ObjectKind("probe", _STORE, "probe/{}", ("([0-9a-f]{32})",), care=Care.IGNORED)
COPY = ObjectKind("copy", _STORE, "upkeep/copy.json", care=Care.IGNORED)
"""That the whole store is a copy, and of what."""

UNKNOWN = ObjectKind("unknown", _STORE, "", (), Stage.REST, care=Care.REPORTED)
"""What is none of the kinds above."""

KINDS = (
    RECORD, TARBALL, PART, SETTINGS, KEYS, TOKEN, EXCEPTION_REQUESTS, CHAIN, SEGMENT, INDEX, EVENT_INDEX, INSTALLS,
    CHECKPOINT, DIRTY, MENDED, LOGIN, ORPHANS, KNOWLEDGE, ORGANIZATION, ADMINISTRATOR, SESSION, SESSION_MARK, ATTEMPTS,
    PROBE, COPY,
)  # fmt: skip


class Place(Struct, frozen=True):
    """Where an object is: *key* within the home of *org*, or within the whole store when *org* is None."""

    kind: ObjectKind
    org: str | None
    key: str


def locate(key: str) -> Place:
    """Returns what is under *key*, a key of the whole store."""
    home = _HOME.fullmatch(key)
    org, own, scope = (home[1], home[2], _ORGANIZATION) if home else (None, key, _STORE)
    return Place(kind_of(own, scope), org, own)


def kind_of(key: str, scope: Scope) -> ObjectKind:
    """Returns the kind of object under *key*, a key of the whole store or of an organization's home."""
    kinds = (kind for kind in KINDS if kind.scope is scope and kind.parse(key) is not None)
    return next(kinds, UNKNOWN)


_HOME = re.compile(rf"{_HOMES}/([^/]+)/(.+)")


def home(storage: Storage, org: str) -> Prefixed:
    """Returns the home of the organization *org* on the whole *storage*."""
    return Prefixed(storage, f"{_HOMES}/{org}")


def homes_in(storage: Storage) -> set[str]:
    """Returns the ids of all organizations that the whole *storage* holds any object of."""
    return {place.org for key in storage.list(_HOMES) if (place := locate(key)).org}
