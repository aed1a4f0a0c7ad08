"""The way to the upstream, as all organizations of a process share it: guarded, cached, and judged for each of them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from nproxy_mw.firewall.database_events import DatabaseEvents
from nproxy_mw.firewall.events import RuleEvents
from nproxy_mw.firewall.firewall import Firewall, nothing_kept
from nproxy_mw.firewall.policies import Policies
from nproxy_mw.http.views import Shelf
from nproxy_mw.intelligence.combined import sources_in
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.upstream.cache import Cache
from nproxy_mw.upstream.cache_folder import CacheFolder
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.guarded import Guarded
from nproxy_mw.upstream.judged import Judgments
from nproxy_mw.upstream.observations import Observations
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.rooms import WAITING
from nproxy_mw.upstream.shared_views import SharedViews
from nproxy_mw.upstream.transport import Transport
from nproxy_mw.upstream.watched import Watched


class Gateway(Struct, frozen=True):
    """*source* is what the rules are laid over: *cached*, or *guarded* where nothing is kept."""

    transport: Transport
    guarded: Guarded
    cached: Cached | None
    cache: Cache | None
    catalog: Catalog = SHIPPED
    intelligence: Intelligence | None = None
    observations: Observations | None = None

    @property
    def source(self) -> PackageSource:
        """The upstream's packages before any rule."""
        return self.cached or self.guarded

    @property
    def shelf(self) -> Shelf | None:
        """Where finished answers are shared by the processes of the host; None where the cache is no folder."""
        folder = self.cache.storage if self.cache else None
        return SharedViews(folder) if isinstance(folder, CacheFolder) else None

    def changed(self, name: Name) -> None:
        """Notes that a client changed the package *name* at the upstream: what is kept of it is old."""
        if self.cached is not None:
            self.cached.changed(name)

    def firewall(self, organization: Organization, public_url: str | None = None) -> Firewall:
        """Returns the rules of *organization* over the upstream's packages. Nothing is asked yet.

        *public_url* is where clients reach the organization's registry, None when that follows the request.
        """
        return Firewall(
            self.source,
            self.policies(organization, public_url),
            judgments=Judgments(self.cache.storage, f"decisions/{organization.id}") if self.cache else None,
            observations=self.observations,
            kept=self.cached.kept if self.cached else nothing_kept,
            log=RuleEvents(organization.trail, look=self._looking(organization)),
        )

    def _looking(self, organization: Organization) -> Callable[[], None]:
        """Returns what tells the trail of *organization* that the OSV database was swapped, if there is one."""
        looks = [
            DatabaseEvents(organization.storage, organization.trail, source).look
            for source in sources_in(self.intelligence)
            if isinstance(source, OsvDatabase)
        ]
        return looks[0] if looks else lambda: None

    def policies(self, organization: Organization, public_url: str | None = None) -> Policies:
        """Returns what *organization* wants judged. See `firewall`."""
        return Policies(
            organization.settings.get,
            catalog=self.catalog,
            intelligence=self.intelligence,
            own_git=(f"{public_url.rstrip('/')}/-/git/",) if public_url else (),
        )


def open_gateway(
    transport: Transport,
    *,
    cache: Cache | None = None,
    intelligence: Intelligence | None = None,
    catalog: Catalog = SHIPPED,
    waiting: int = WAITING,
    offline: bool = False,
) -> Gateway:
    """Returns the way to the upstream behind *transport*.

    If *cache* is None, nothing is kept. If *intelligence* is None, nothing is known but packuments. At most *waiting*
    requests wait for the upstream at a time. *offline*, it is not asked at all.
    """
    guarded = Guarded(Remote(transport), waiting=waiting, offline=offline)
    if cache is None:
        return Gateway(transport, guarded, None, None, catalog, intelligence)
    observations = Observations(cache.observations)
    watched = Watched(guarded, cache.storage, observations)
    cached = cache.of(watched, waiting=waiting, arrived=observations.arrived)
    return Gateway(transport, guarded, cached, cache, catalog, intelligence, observations)
