"""Repairs in the background, when a server starts, what a killed process left half done."""

from __future__ import annotations

import logging
import threading

from nproxy_mw.cli.stores import open_organizations
from nproxy_mw.errors import Busy
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import FileLocks, locks_for
from nproxy_mw.upkeep.repair import OutOfTime, repair_quickly

SECONDS = 600.0
"""How long the repair may take. For a store that takes longer there is ``nproxy-mw check --repair``."""

_log = logging.getLogger(__name__)


def begin(url: str) -> threading.Thread:
    """Repairs the store at *url* in a thread, which is returned. No request waits for it; it ends with the process."""
    thread = threading.Thread(target=repair_store, args=(url,), name="repair", daemon=True)
    thread.start()
    return thread


def repair_store(url: str, seconds: float = SECONDS) -> None:
    """Repairs the store at *url*, one process of this machine at a time. A failure is only a line in the log."""
    try:
        storage = open_organizations(url).storage
        if next(iter(storage.list()), None) is None:
            return
        with lock_of(url).hold("mending", seconds):
            if done := str(repair_quickly(storage, seconds)):
                _log.warning("the audit trail was completed after a crash: %s", done)
    except Busy:
        return
    except OutOfTime:
        _log.warning("not everything was looked at for what a crash may have left: run 'nproxy-mw check --repair'")
    except Exception as error:  # a repair that fails must not stop the server
        reason = " ".join(str(error).split())
        _log.warning("what a crash may have left was not repaired (%s): run 'nproxy-mw check --repair'", reason)


def lock_of(url: str) -> Flocks:
    """Returns a lock apart from those of publishes: it is held for longer than a publish waits."""
    locks = locks_for(url)
    if not isinstance(locks, FileLocks):
        raise TypeError("a storage in memory has no server")
    return Flocks(locks.folder / "mending", names=1)
