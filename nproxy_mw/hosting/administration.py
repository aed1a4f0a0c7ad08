"""The administrators of a standalone server and their sessions. Needs argon2 (the extra ``server``)."""

from __future__ import annotations

from importlib.util import find_spec

from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.storage.layout import SYSTEM
from nproxy_mw.storage.port import Storage

if find_spec("argon2") is None:  # said now, and not when somebody signs in
    raise ImportError("Administrators need argon2: pip install 'nproxy_mw[server]'.")


def administrators_of(storage: Storage) -> AdministratorStore:
    """Returns the administrators on *storage*, the whole one."""
    return AdministratorStore(storage, trail=OrganizationDirectory(storage).trail(SYSTEM))


def accounts_at(storage: Storage) -> tuple[AdministratorStore, SessionStore]:
    """Returns the administrators on *storage*, the whole one, and their sessions."""
    administrators = administrators_of(storage)
    trail = OrganizationDirectory(storage).trail(SYSTEM)
    return administrators, SessionStore(storage, epoch_of=administrators.epoch_of, trail=trail)
