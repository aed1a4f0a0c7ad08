"""Package stores for tests: one opened on any storage, and what is looked at in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit.events import verify
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.publication import Publication, parse_publication
from nproxy_mw.packages.compaction import PartBounds
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.documents import publish_document

NAME = Name("@acme", "utils")
ANN = Actor(token_hash="0" * 64, name="ann", request_id="r1", ip="192.0.2.7", user_agent="npm/11")


SMALL = PartBounds(own_versions=1, own_events=2, kept_events=1, part_versions=2, part_events=3)
"""With these, nearly every change writes a part."""


class NoLocks:
    """For hosts that share nothing but the storage: the swap alone decides."""

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        yield


def packages_on(storage: Any, **how: Any) -> PackageStore:
    """The packages on *storage*, as a process opens them that has just started."""
    return PackageStore(storage, trail=Trail(storage, org="default"), **how)


def publication(version: str = "1.0.0", name: Name = NAME, **how: Any) -> Publication:
    """A version as a client sends it."""
    return parse_publication(name, publish_document(str(name), version, **how))


def memory() -> Storage:
    """A new storage in memory."""
    return open_storage(f"memory://{uuid.uuid4().hex}")


def recorded(packages: PackageStore, name: Name = NAME) -> list[tuple[str, str | None]]:
    """The kind and the version of every event in the package's chain."""
    return [(event["event"], event.get("version")) for event in packages.record(name)[0].chain]


def keys(storage: Storage) -> list[str]:
    """The keys of all records and tarballs."""
    return sorted(key for key in storage.list() if not key.startswith(("audit/", "parts/", "upkeep/")))


def assert_whole(storage: Storage) -> None:
    """What any reader may count on: the record is whole, its chain is sound, every version's bytes are there."""
    packages = packages_on(storage)
    with suppress(NotFound):
        record, _ = packages.record(NAME)
        assert verify(record.chain) == []
        for version in (record.packument or {"versions": ()})["versions"]:
            with packages.open_tarball(NAME, NAME.tarball(version)).stream as stream:
                assert len(stream.read()) == record.tarballs[version]["size"]
