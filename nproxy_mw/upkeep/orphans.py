"""Tarballs that no record names: what a publish or an unpublish left behind that was cut short."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from nproxy_mw.errors import BadRequest, Missing
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages.record import Record, decode
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import RECORD, TARBALL
from nproxy_mw.storage.port import Storage


def orphans(storage: Storage) -> Iterator[str]:
    """The keys of all orphans on *storage*, an organization's own.

    The bytes of a publish that is under way are among them: whoever removes any waits and looks again. Those of a
    package whose record is damaged are not: once the record is mended they will be wanted.
    """
    # A listing has no order, but every back end gives a folder's keys together; did it not, records are read twice.
    for package, keys in groupby(TARBALL.keys(storage), lambda key: _package_and_file(key)[0]):
        try:
            named = _named(storage, parse_name(package))
        except (BadRequest, UnreadableObject, ValueError):
            continue
        yield from (key for key in keys if _package_and_file(key)[1] not in named)


def is_orphan(storage: Storage, key: str) -> bool:
    """Whether the tarball under *key* is named by no record now. Raises `ValueError` when its record is damaged."""
    package, file = _package_and_file(key)
    return file not in _named(storage, parse_name(package))


def _package_and_file(key: str) -> tuple[str, str]:
    package, file = TARBALL.parse(key) or ("", "")
    return package, file


def _named(storage: Storage, name: Name) -> frozenset[str]:
    try:
        record = decode(storage.read(RECORD.key(name)).data)
    except Missing:
        record = Record()
    try:
        return frozenset(entry["key"] for entry in record.tarballs.values())
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("the record's tarballs are not what they should be") from error
