"""One organization: everything that is its own, on its part of the storage; and the organizations of one storage.

The storage of an organization is `Prefixed`: no key that is built above it can name another organization's object, so
isolation does not depend on the care of each layer.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from msgspec import Struct

from nproxy_mw.access import Actor
from nproxy_mw.audit.day_counts import DayCounts, open_day_counts
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.ledger.seen import SeenIndex, open_seen_index
from nproxy_mw.orgs.directory import OrganizationDirectory, is_slug
from nproxy_mw.orgs.exception_requests import ExceptionRequestStore
from nproxy_mw.orgs.keys import KeyStore
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.packages.search.index import SearchIndex, open_search_index
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import home
from nproxy_mw.storage.locks import Locks, locks_for
from nproxy_mw.storage.places import derived_folder
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.probe import probe
from nproxy_mw.storage.rates import Rates
from nproxy_mw.times import Clock, utc_now

_log = logging.getLogger(__name__)

DEFAULT_ORG = "default"
"""The organization of a server, unless another one is chosen."""


class Organization(Struct, frozen=True):
    """The parts of one organization, each bound to the same storage."""

    id: str
    storage: Storage
    trail: Trail
    day_counts: DayCounts
    settings: SettingsStore
    exception_requests: ExceptionRequestStore
    tokens: TokenStore
    keys: KeyStore
    packages: PackageStore
    ledger: Ledger
    search_index: SearchIndex
    seen_index: SeenIndex
    rates: Rates

    def is_new(self) -> bool:
        """Returns whether no token was ever created for it, so that it cannot be used yet."""
        return next(self.tokens.hashes(), None) is None


def open_organization(
    storage: Storage,
    locks: Locks,
    org: str = DEFAULT_ORG,
    *,
    is_made: bool = False,
    seal: Seal | None = None,
    catalog: Catalog = SHIPPED,
    search_folder: Path | None = None,
    clock: Clock = utc_now,
) -> Organization:
    """Returns the organization *org* on *storage*, the whole one. Nothing is read or written yet.

    *is_made* says that the organization is known to exist. Then missing settings are an error; defaults are never
    assumed. If *seal* is None, private signing keys are stored as they are. *catalog* has the rules that its settings
    can name. If *search_folder* is None, the indexes are where this host keeps what belongs to the storage.

    Raises:
        ValueError: *org* is not an organization's id.
    """
    if not is_slug(org):
        raise ValueError("An organization's id is made of lower-case letters, digits and '-', like acme.")
    own = home(storage, org)
    trail = Trail(own, org=org, clock=clock)
    settings = SettingsStore(own, trail=trail, is_made=is_made, catalog=catalog, clock=clock)
    keys = KeyStore(own, trail=trail, seal=seal, clock=clock)
    search_index = open_search_index(storage, own, org, folder=search_folder, clock=clock)
    return Organization(
        id=org,
        storage=own,
        trail=trail,
        day_counts=open_day_counts(storage, own, org, folder=search_folder and search_folder / "days", clock=clock),
        settings=settings,
        exception_requests=ExceptionRequestStore(own, trail=trail, settings=settings, clock=clock),
        tokens=TokenStore(own, trail=trail, settings=settings, clock=clock),
        keys=keys,
        packages=PackageStore(own, trail=trail, locks=locks, signers=keys.signers, changed=search_index.changed),
        ledger=Ledger(own),
        search_index=search_index,
        seen_index=open_seen_index(storage, own, org, folder=search_folder and search_folder / "seen", clock=clock),
        rates=Rates(derived_folder(storage, "rates")),
    )


class Organizations:
    """The organizations on *storage*, the whole one: which there are, and each of them opened.

    *locks* are those that suit the storage. If *seal* is None, private signing keys are stored as they are. *catalog*
    has the rules that settings can name. *search_folder*: see `open_organization`.
    """

    def __init__(
        self,
        storage: Storage,
        locks: Locks,
        *,
        seal: Seal | None = None,
        catalog: Catalog = SHIPPED,
        search_folder: Path | None = None,
    ) -> None:
        self.storage = storage
        self.locks = locks
        self.seal = seal
        self.catalog = catalog
        self.search_folder = search_folder
        self.directory = OrganizationDirectory(storage)

    @classmethod
    def at(
        cls,
        url: str,
        *,
        freshness: float = 1.0,
        seal: Seal | None = None,
        catalog: Catalog = SHIPPED,
        search_folder: Path | None = None,
    ) -> Organizations:
        """Returns the organizations on the storage at *url*. Nothing is asked of it yet.

        *freshness*, in seconds, is that of `open_storage`. If *seal* is None, it is made of ``NPROXY_SEAL_KEY`` when
        that is set.

        Raises:
            TypeError: *url* is no text.
            ValueError: *url* is not a storage of a kind that is supported, or ``NPROXY_SEAL_KEY`` is not a key.
        """
        storage = open_storage(url, freshness=freshness)
        seal = seal or seal_of_the_environment()
        return cls(storage, locks_for(url), seal=seal, catalog=catalog, search_folder=search_folder)

    def open(self, org: str, *, is_made: bool = False) -> Organization:
        """Returns the organization *org*, as `open_organization` does."""
        return open_organization(
            self.storage,
            self.locks,
            org,
            is_made=is_made,
            seal=self.seal,
            catalog=self.catalog,
            search_folder=self.search_folder,
        )

    def has(self, org: str) -> bool:
        """Returns whether anything of the organization *org* is stored: its record, or an object of its own."""
        return self.directory.exists(org) or next(iter(self.directory.home(org).list()), None) is not None

    def ensure(self, org: str, *, actor: Actor) -> Organization:
        """Tries the storage, and returns the organization *org*, created when it does not exist.

        A storage that cannot be written to, such as a full disk, does not stop an organization that exists: its
        packages can be read. The log says that nothing can be published.

        Raises:
            ValueError: the storage lets writers overwrite each other, or *org* is not an organization's id.
            StorageUnavailable: the storage cannot be read; it cannot be written to, and the organization does not
                exist; or the organization's settings are gone.
        """
        reason = self._try()
        self.directory.ensure(org, actor=actor)
        _warn(reason)
        return self.open(org, is_made=True)

    def probe(self) -> None:
        """Tries the storage as `ensure` does, for organizations that are created later.

        Raises:
            ValueError: the storage lets writers overwrite each other.
            StorageUnavailable: it cannot be read; or it cannot be written to, and nothing is stored there.
        """
        _warn(self._try())

    def _try(self) -> str:
        """Probes the storage. Returns a sentence when it holds something and cannot be written to."""
        try:
            probe(self.storage)
        except StorageUnavailable as error:
            if next(iter(self.storage.list()), None) is None:
                raise
            return error.message
        return ""


def _warn(reason: str) -> None:
    if reason:
        _log.warning("%s It is read meanwhile, and nothing can be published.", reason)


def organization_at(url: str, org: str = DEFAULT_ORG, *, freshness: float = 1.0) -> Organization:
    """Returns the organization *org* on the storage at *url*, with the locks that suit it. Nothing is asked of it yet.

    *freshness*: see `open_storage`. Private signing keys are sealed with the key in ``NPROXY_SEAL_KEY`` when it is set.

    Raises:
        TypeError: *url* is no text.
        ValueError: the URL is not a storage of a kind that is supported; *org* is not an organization's id; or
            ``NPROXY_SEAL_KEY`` is not a key.
    """
    return Organizations.at(url, freshness=freshness).open(org)


def seal_of_the_environment() -> Seal | None:
    """Returns the seal for private keys whose key is in ``NPROXY_SEAL_KEY``; None when that is not set.

    Raises:
        ValueError: it is not a key.
    """
    text = os.environ.get("NPROXY_SEAL_KEY")
    return Seal.from_text(text) if text else None
