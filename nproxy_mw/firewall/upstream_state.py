"""How the way to the upstream is doing, as this process sees it. Nothing is asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.intelligence.combined import sources_in
from nproxy_mw.intelligence.osv_database import OsvDatabase, summary_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.times import from_unix
from nproxy_mw.upstream.cache_folder import CacheFolder
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.guarded import Guarded

_FOUND = ("hit", "revalidated", "stale", "negative", "tarball hit")
_FETCHED = ("miss", "tarball miss")


@dataclass(frozen=True, slots=True)
class CacheFill:
    """How many bytes of its *bound* a cache takes on the disk of this host, as it was *counted* last.

    *size* and *counted* are None before anything was kept.
    """

    size: int | None
    bound: int
    counted: datetime | None


@dataclass(frozen=True, slots=True)
class UpstreamHealth:
    """*breaker* is ``closed``, ``open``, ``half-open`` or ``offline``; empty when nothing guards the upstream.

    *found* of *asked* questions were answered from the cache; *asked* is None where nothing is kept.
    *advisories_from* is when the database of advisories was built, in the form of `timestamp`; None when there is none.
    *cache* is None where nothing is kept, or not on this host.
    """

    breaker: str
    found: int
    asked: int | None
    advisories_from: str | None
    cache: CacheFill | None


def upstream_state(firewall: Firewall) -> UpstreamHealth:
    """Returns the state of the components behind the rules of *firewall*."""
    parts = list(_parts(firewall.unruled))
    cached = next((part for part in parts if isinstance(part, Cached)), None)
    guarded = next((part for part in parts if isinstance(part, Guarded)), None)
    counts = cached.counts if cached is not None else {}
    found = sum(counts.get(key, 0) for key in _FOUND)
    built = [
        summary.built
        for source in sources_in(firewall.policies.intelligence)
        if isinstance(source, OsvDatabase) and (summary := summary_of(source.path)) is not None
    ]
    breaker = "" if guarded is None else "offline" if guarded.offline else guarded.breaker.state
    asked = found + sum(counts.get(key, 0) for key in _FETCHED) if cached is not None else None
    return UpstreamHealth(breaker, found, asked, min(built, default=None), cache_fill(firewall))


def cache_fill(firewall: Firewall) -> CacheFill | None:
    """Returns how full the cache behind the rules of *firewall* is; None where none is kept on this host.

    All organizations of the host share it. Its processes count what they write; nothing is looked through.
    """
    cached = next((part for part in _parts(firewall.unruled) if isinstance(part, Cached)), None)
    if cached is None or not isinstance(cached.storage, CacheFolder):
        return None
    eviction = cached.storage.eviction
    size, written = eviction.tally.read(), eviction.tally.written()
    if size is None or written is None:
        return CacheFill(None, eviction.bound, None)
    return CacheFill(size, eviction.bound, from_unix(written))


def _parts(source: PackageSource) -> Iterator[PackageSource]:
    """Yields *source*, and the sources inside it."""
    inner: PackageSource | None = source
    while inner is not None:
        yield inner
        inner = getattr(inner, "source", None)
