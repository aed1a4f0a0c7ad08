"""A source that is watched: what its fresh packuments list is remembered, so that what goes missing is noticed.

It stands inside the cache, so it sees what the upstream really says, and each packument once. A version counts as taken
away when several fresh answers in a row lack it: one may come from a mirror that lags behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.swaps import overwrite
from nproxy_mw.upstream.observations import Observations, taken_away

LOOKS = 2
"""Fresh answers in a row that must lack a version before it counts as taken away."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a package's last fresh packument listed, and for what is *missing*, how many in a row have lacked it."""

    listed: tuple[str, ...] = ()
    missing: dict[str, int] = {}

    def after(self, versions: Collection[str]) -> Listing:
        """Returns what follows when a fresh packument lists *versions*."""
        gone = {*self.listed, *self.missing}.difference(versions)
        missing = {version: self.missing.get(version, 0) + 1 for version in gone}
        return Listing(listed=tuple(versions), missing=missing)

    @property
    def gone(self) -> frozenset[str]:
        """The versions that were missing for long enough."""
        return frozenset(version for version, looks in self.missing.items() if looks >= LOOKS)

    def without(self, versions: Collection[str]) -> Listing:
        """Returns this without *versions* among the missing ones."""
        return Listing(listed=self.listed, missing={key: n for key, n in self.missing.items() if key not in versions})


class Watched:
    """Watches *source*; listings are kept on *storage*, and what is taken away is noted in *observations*."""

    def __init__(self, source: PackageSource, storage: Storage, observations: Observations) -> None:
        self.source = source
        self.storage = storage
        self.observations = observations

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the source's packument, and remembers what it lists. See `PackageSource`."""
        document = self.source.packument(name, unless=unless, for_write=for_write)
        if document is None:
            self._seen(str(name), None)
        else:
            with document.alone():
                versions = tuple(release.version for release in document.history.releases)
            self._seen(str(name), versions)
        return document

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Hands on."""
        return self.source.dist_tags(name)

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Hands on."""
        return self.source.document(route, unless=unless)

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Hands on."""
        return self.source.tarball(name, filename, part)

    def _seen(self, package: str, versions: tuple[str, ...] | None) -> None:
        """Takes in that a fresh packument lists *versions*; None says that it is the one of the last time."""
        before = self._last(package)
        listed = before.listed if versions is None else versions
        after = before.after(listed)
        if after == before:
            return
        self.observations.note(package, taken_away(after.gone, listed))
        with suppress(StorageUnavailable):  # a full disk: this look does not count
            overwrite(self.storage, _key(package), _ENCODER.encode(after.without(after.gone)))

    def _last(self, package: str) -> Listing:
        try:
            return _DECODER.decode(self.storage.read(_key(package)).data)
        except (Missing, StorageUnavailable, msgspec.DecodeError):
            return Listing()


def _key(package: str) -> str:
    return f"listings/{package}.listed"


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Listing)
