"""Tarballs and parts that no record names: what an interrupted change left behind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages.records import uncached
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import PART, TARBALL, ObjectKind, Scope, kind_of
from nproxy_mw.storage.port import Storage


def orphans(storage: Storage) -> Iterator[str]:
    """Yields the keys of all orphans on *storage*, an organization's own.

    The bytes of a publish that is under way are among them, so wait and look again before removing any. Those of a
    package whose record cannot be read are not: they are needed once the record is restored.
    """
    for kind in (TARBALL, PART):
        # A listing has no order, but every back end lists a folder's keys together. Otherwise records are read twice.
        for package, keys in groupby(kind.keys(storage), partial(_package_in, kind)):
            try:
                named = _named(storage, kind, parse_name(package))
            except (BadRequest, UnreadableObject):
                continue
            yield from (key for key in keys if key not in named)


def is_orphan(storage: Storage, key: str) -> bool:
    """Returns whether no record names the object under *key* now. Raises `UnreadableObject` for a damaged record."""
    kind = kind_of(key, Scope.ORGANIZATION)
    return key not in _named(storage, kind, parse_name(_package_in(kind, key)))


def _package_in(kind: ObjectKind, key: str) -> str:
    return (kind.parse(key) or ("",))[0]


def _named(storage: Storage, kind: ObjectKind, name: Name) -> set[str]:
    """Returns the keys of all objects of *kind* that the package's record names."""
    records = uncached(storage)
    try:
        found = records.own(name)[0].parts if kind is PART else records.whole(name)[0].files
    except NotFound:
        return set()
    except (AttributeError, KeyError, TypeError) as error:
        raise documents.damaged() from error
    return {kind.key(name, part) for part in found}
