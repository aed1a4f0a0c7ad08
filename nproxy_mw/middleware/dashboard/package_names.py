"""The names of an organization's packages, listed anew as often as that is cheap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.port import Storage

PATIENCE = 100
"""A list is kept this many times as long as it took to make: ten thousand names cost 0.2 s, and are kept for 20 s."""

MAX_LISTS = 256


@dataclass(frozen=True, slots=True)
class _Listed:
    names: Sequence[str]
    until: float


class PackageNames:
    """Lists of names by organization. *clock* counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lists: dict[str, _Listed] = {}

    def of(self, org: str, storage: Storage) -> Sequence[str]:
        """Returns the names of all packages on *storage*, the organization's own; those of unpublished ones too."""
        listed, now = self._lists.get(org), self._clock()
        if listed is not None and now < listed.until:
            return listed.names
        names = sorted(RECORD.names(storage))
        done = self._clock()
        if len(self._lists) >= MAX_LISTS:
            self._lists.clear()
        self._lists[org] = _Listed(names, done + PATIENCE * (done - now))
        return names
