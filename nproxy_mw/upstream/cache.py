"""Where a cache lies, opened: its storage, its spool folder, its locks, and what keeps it within its bound."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from nproxy_mw.npm.source import PackageSource
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import folder_of_user
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.urls import absolute, is_local, split_url
from nproxy_mw.upstream.cache_folder import CacheFolder
from nproxy_mw.upstream.cache_units import SPOOL
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.eviction import DEFAULT_BOUND, Eviction
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.kept_documents import NEGATIVE_TTL, TTL
from nproxy_mw.upstream.kept_tarballs import WHOLE_FIRST, Arrived, Tarballs, no_look
from nproxy_mw.upstream.rooms import WAITING, Room
from nproxy_mw.upstream.tarball_store import TarballStore
from nproxy_mw.upstream.verifications import Verifications

FRESHNESS = 30.0
"""Seconds after which a process looks whether others have changed what is kept, where each look costs a request."""

FOLDER_FRESHNESS = 1.0
"""The same for what nobody of this host tells of, in a folder."""


class Cache(Struct, frozen=True):
    """An opened cache of one upstream. *eviction* is None where its storage keeps itself within a bound.

    *observations* is a storage of its own for what must not be evicted: what was seen of packages (see
    `nproxy_mw.upstream.observations`).
    """

    storage: Storage
    observations: Storage
    spool: Path
    flights: Flights
    eviction: Eviction | None = None
    ttl: float = TTL
    negative_ttl: float = NEGATIVE_TTL
    whole_first: float = WHOLE_FIRST

    def of(self, source: PackageSource, *, waiting: int = WAITING, arrived: Arrived = no_look) -> Cached:
        """Returns *source* as it is kept here.

        At most *waiting* requests wait for it at a time. *arrived* is called with each tarball that was fetched.
        """
        # Only files of this host have a state by which they are known again.
        verifications = Verifications(self.spool) if self.eviction is not None else None
        return Cached(
            source,
            self.storage,
            tarballs=Tarballs(
                TarballStore(self.storage, verifications), self.spool, arrived=arrived, whole_first=self.whole_first
            ),
            flights=self.flights,
            room=Room(waiting),
            ttl=self.ttl,
            negative_ttl=self.negative_ttl,
        )


def default_cache(storage: str) -> str:
    """Returns where a cache lies unless somebody says otherwise: next to the folder or in the memory of *storage*.

    For a storage on the network that is a folder of this user, because the network is what a cache saves.
    """
    scheme, rest = split_url(storage)
    if scheme == "memory":
        return f"{storage.rstrip('/')}-cache"
    if is_local(storage):
        return f"{absolute(rest)}-cache"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(home) / "nproxy-mw" / sha256(storage.encode()).hexdigest()[:16])


def open_cache(url: str, upstream: str, *, bound: int = DEFAULT_BOUND, ttl: float = TTL) -> Cache:
    """Opens the cache at *url*, an fsspec URL or a folder, for the registry at *upstream*.

    *bound* is how many bytes it may have on a disk of this host, for all upstreams; on another storage, a rule of its
    bucket has to say so. Each upstream has a part of its own, so that no two ever answer for each other. Nothing is
    written yet.

    Raises:
        ValueError: *url* is of a kind that is not supported.
    """
    part = part_of(upstream)
    storage = open_storage(url, freshness=FRESHNESS)
    if isinstance(storage, LocalStorage):
        eviction = Eviction(storage.root, bound=bound)
        folder = CacheFolder(storage.root / part, eviction, freshness=FOLDER_FRESHNESS)
        spool = folder.root / SPOOL
        aside = folder.root / ".observations"  # the eviction passes over it
        observations = LocalStorage(aside, durable=False, freshness=FOLDER_FRESHNESS)
        return Cache(folder, observations, spool, Flights(Flocks(spool / "flights")), eviction, ttl)
    spool = folder_of_user() / f"cache-{sha256(f'{url} {upstream}'.encode()).hexdigest()[:16]}"
    flights = Flights(Flocks(spool / "flights"))
    return Cache(Prefixed(storage, part), Prefixed(storage, f"{part}/observations"), spool, flights, None, ttl)


def part_of(upstream: str) -> str:
    """Returns the name of the part of a cache that belongs to the registry at *upstream*."""
    return sha256(upstream.encode()).hexdigest()[:16]
