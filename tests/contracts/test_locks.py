"""Every `Locks` that the library has keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import FileLocks, Locks, ThreadLocks
from nproxy_mw.testing import LocksContract


class TestFileLocks(LocksContract):
    """Locks of all processes of a machine."""

    between_processes = True

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], Locks]:
        return partial(FileLocks, tmp_path / "locks")


class TestFlocks(LocksContract):
    """Locks of all processes of a machine, without filelock."""

    between_processes = True

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], Locks]:
        return partial(Flocks, tmp_path / "locks")


class TestThreadLocks(LocksContract):
    """Locks of one process."""

    @pytest.fixture
    def opener(self) -> Callable[[], Locks]:
        return ThreadLocks
