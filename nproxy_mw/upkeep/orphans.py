"""Tarballs that no record names: what an interrupted publish or unpublish left behind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from nproxy_mw.errors import BadRequest, Missing
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages.record import Record, decode
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import RECORD, TARBALL
from nproxy_mw.storage.port import Storage


def orphans(storage: Storage) -> Iterator[str]:
    """Yields the keys of all orphans on *storage*, an organization's own.

    The bytes of a publish that is under way are among them, so wait and look again before removing any. Those of a
    package whose record cannot be read are not: they are needed once the record is restored.
    """
    # A listing has no order, but every back end lists a folder's keys together. Otherwise records are read twice.
    for package, keys in groupby(TARBALL.keys(storage), lambda key: _package_and_file(key)[0]):
        try:
            named = _named(storage, parse_name(package))
        except (BadRequest, UnreadableObject):
            continue
        yield from (key for key in keys if _package_and_file(key)[1] not in named)


def is_orphan(storage: Storage, key: str) -> bool:
    """Returns whether no record names the tarball under *key* now. Raises `UnreadableObject` for a damaged record."""
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
        return record.files
    except (AttributeError, KeyError, TypeError) as error:
        raise documents.damaged() from error
