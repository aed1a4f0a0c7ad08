"""Storages to keep packages on."""

from __future__ import annotations

import pytest
from support.packages import memory, packages_on

from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path) -> Storage:
    """An empty storage of each kind."""
    return memory() if request.param == "memory" else open_storage(str(tmp_path / "store"))


@pytest.fixture
def packages(storage: Storage) -> PackageStore:
    """The packages on it."""
    return packages_on(storage)
