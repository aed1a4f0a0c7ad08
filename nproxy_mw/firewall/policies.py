"""The policy of one organization, made of its settings, and made anew when they change."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import orjson

from nproxy_mw.http.context import CURRENT
from nproxy_mw.intelligence.popular import POPULAR
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.engine import Covers
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.times import Clock, utc_now
from nproxy_mw.upstream.policy import Policy


class Policies:
    """Returns the present policy when it is called. *settings* returns the same object while nothing changed.

    If *intelligence* is None, nothing is known beyond packuments. *popular* are names that others are confused with.
    *own_git* are the URLs below which this registry serves git dependencies itself.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        catalog: Catalog = SHIPPED,
        intelligence: Intelligence | None = None,
        popular: frozenset[str] = POPULAR,
        own_git: tuple[str, ...] = (),
        clock: Clock = utc_now,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.intelligence = intelligence
        self.popular = popular
        self.own_git = own_git
        self.clock = clock
        self._made: tuple[Settings, Policy] | None = None

    def __call__(self) -> Policy:
        """Returns the policy of this moment. Raises as the settings do."""
        settings, made = self._present(), self._made
        if made is None or made[0] is not settings:
            made = self._made = settings, self.of(settings)
        return made[1]

    def _present(self) -> Settings:
        """The settings that all layers answer the present request by; without a request, those of this moment."""
        context = CURRENT.get()
        found = context.settings if context is not None else None
        return found if isinstance(found, Settings) else self.settings()

    def of(self, settings: Settings) -> Policy:
        """Returns the policy that *settings* make."""
        return Policy(
            self.catalog.configured(settings.rules),
            revision_of(settings.rules, [one.to_document() for one in settings.exceptions]),
            covers=lambda package: self._covers(settings, package),
            intelligence=self.intelligence,
            popular=self.popular,
            own_git=self.own_git,
        )

    def _covers(self, settings: Settings, package: str) -> Covers:
        return settings.exceptions.ends(package, self.clock())


def revision_of(rules: Json, exceptions: list[Json]) -> str:
    """Returns a name for the state of rules and exceptions: equal for equal ones, in every process."""
    data = orjson.dumps([dict(rules), exceptions], option=orjson.OPT_SORT_KEYS)
    return blake2b(data, digest_size=12).hexdigest()
