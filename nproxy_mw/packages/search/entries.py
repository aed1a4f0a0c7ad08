"""What the index keeps of one package, made from its record. Pure."""

from __future__ import annotations

import logging

from msgspec import Struct

from nproxy_mw.json_values import Json
from nproxy_mw.npm.summaries import summary
from nproxy_mw.packages.record import Record
from nproxy_mw.storage.port import Revision

_log = logging.getLogger(__name__)


class PackageEntry(Struct, frozen=True):
    """One package. *summary* is None when there is nothing to show of it.

    *revision* names the stored state that this is made from; *generation* counts the changes up to it. *size* is how
    many bytes its tarballs have.
    """

    name: str
    revision: Revision
    generation: int = 0
    size: int = 0
    summary: Json | None = None


def entry_of(name: str, record: Record, revision: Revision, size: int) -> PackageEntry:
    """Returns the entry of a package. One that is unpublished, or whose packument is damaged, has no summary."""
    return PackageEntry(name, revision, record.generation, size, _shown(name, record))


def _shown(name: str, record: Record) -> Json | None:
    if record.packument is None:
        return None
    try:
        shown = summary(record.packument)
        if shown["name"] == name:
            return {**shown, "versionCount": record.version_count}
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        pass
    _log.warning("%s is not found by searches: its packument is damaged", name)
    return None
