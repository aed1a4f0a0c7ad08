"""One organization: everything that is its own, on its part of the storage.

Its storage is `Prefixed`: no key built above can name another organization's object, so isolation does not hang on each
layer's care.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.orgs.directory import OrganizationDirectory, is_slug
from nproxy_mw.orgs.exception_requests import ExceptionRequestStore
from nproxy_mw.orgs.keys import KeyStore
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import home
from nproxy_mw.storage.locks import Locks, locks_for
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.probe import probe
from nproxy_mw.times import Clock, utc_now


@dataclass(frozen=True, slots=True)
class Organization:
    """The parts of one organization, each bound to the same storage."""

    id: str
    storage: Storage
    trail: Trail
    settings: SettingsStore
    exception_requests: ExceptionRequestStore
    tokens: TokenStore
    keys: KeyStore
    packages: PackageStore

    def is_new(self) -> bool:
        """Whether no token was ever made for it: nobody can use it yet."""
        return not self.tokens.list(revoked=True)


def open_organization(
    storage: Storage,
    locks: Locks,
    org: str = "default",
    *,
    is_made: bool = False,
    seal: Seal | None = None,
    catalog: Catalog = SHIPPED,
    clock: Clock = utc_now,
) -> Organization:
    """The organization *org* on the whole storage *storage*. Nothing is read or written yet.

    *is_made* says that it is known to have been made: settings that are not there are lost then, and no request is
    answered without them. If *seal* is None, private signing keys are stored as they are. *catalog* has the rules that
    its settings can name.

    Raises:
        ValueError: *org* is not an organization's id; another one's storage may begin where its own would end.
    """
    if not is_slug(org):
        raise ValueError("An organization's id is made of lower-case letters, digits and '-', like acme.")
    own = home(storage, org)
    trail = Trail(own, org=org, clock=clock)
    settings = SettingsStore(own, trail=trail, is_made=is_made, catalog=catalog, clock=clock)
    keys = KeyStore(own, trail=trail, seal=seal, clock=clock)
    return Organization(
        id=org,
        storage=own,
        trail=trail,
        settings=settings,
        exception_requests=ExceptionRequestStore(own, trail=trail, settings=settings, clock=clock),
        tokens=TokenStore(own, trail=trail, settings=settings, clock=clock),
        keys=keys,
        packages=PackageStore(own, trail=trail, locks=locks, signers=keys.signers),
    )


def organization_at(url: str, org: str = "default", *, freshness: float = 1.0) -> Organization:
    """The organization *org* on the storage at *url*, with the locks that suit it.

    *freshness*: see `open_storage`. Private signing keys are sealed with the key in ``NPROXY_SEAL_KEY`` when it is set.

    Raises:
        ValueError: the URL is none, or of a kind that is not supported; *org* is not an organization's id; or
            ``NPROXY_SEAL_KEY`` is not a key.
    """
    storage = open_storage(url, freshness=freshness)
    return open_organization(storage, locks_for(url), org, seal=seal_of_the_environment())


def made_organization_at(url: str, org: str = "default", *, catalog: Catalog = SHIPPED, actor: Actor) -> Organization:
    """As `organization_at`, and made when it is not there yet, on a storage that was tried.

    Raises:
        ValueError: as `organization_at`; or the storage lets writers overwrite each other.
        StorageUnavailable: it cannot be written to, or the organization was made and its settings are gone.
    """
    storage = open_storage(url)
    probe(storage)
    OrganizationDirectory(storage).ensure(org, actor=actor)
    seal = seal_of_the_environment()
    return open_organization(storage, locks_for(url), org, is_made=True, seal=seal, catalog=catalog)


def seal_of_the_environment() -> Seal | None:
    """The seal for private keys whose key is in ``NPROXY_SEAL_KEY``; None when that is not set.

    Raises:
        ValueError: it is not a key.
    """
    text = os.environ.get("NPROXY_SEAL_KEY")
    return Seal.from_text(text) if text else None
