"""Which organizations of a store a command is about."""

from __future__ import annotations

from collections.abc import Iterable

from nproxy_mw.errors import Missing, NotFound
from nproxy_mw.storage.layout import ORGANIZATION, home
from nproxy_mw.storage.port import Storage


def require_organizations(storage: Storage, orgs: Iterable[str]) -> list[str]:
    """Returns *orgs* in order when the whole *storage* has something of each.

    Raises:
        NotFound: it has nothing of one of them: a mistyped name must not look like a sound organization.
        StorageUnavailable: the storage cannot be read.
    """
    wanted = sorted(set(orgs))
    for org in wanted:
        if not _exists(storage, org):
            raise NotFound(
                f"There is no organization {org} in this store: 'nproxy-mw org list' shows those there are.",
                code="unknown-organization",
            )
    return wanted


def _exists(storage: Storage, org: str) -> bool:
    try:
        storage.read(ORGANIZATION.key(org))
    except Missing:
        return next(iter(home(storage, org).list()), None) is not None
    return True
