"""Hosts for the tests of the search index."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.search import Host, SetClock

from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.indexes.connections import IDLE
from nproxy_mw.storage.port import Storage


@pytest.fixture(autouse=True)
def no_idle_connections() -> Iterator[None]:
    """Connections of a test end with it."""
    yield
    IDLE.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def storage(tmp_path) -> Storage:
    """A storage that hosts share. (Local, so that nothing is slow; a host's own folder makes it another host's.)"""
    return LocalStorage(tmp_path / "shared")


@pytest.fixture
def host(tmp_path, storage, clock) -> Callable[..., Host]:
    """Makes a process on the host *name*."""
    return lambda name="one", org="acme": Host(storage, tmp_path / "hosts" / name, clock, org)
