"""Where a host keeps what it derives from a storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.places import derived_folder, is_local
from nproxy_mw.storage.prefixed import Prefixed


@pytest.mark.parametrize(
    "over",
    [
        pytest.param(lambda storage: storage, id="itself"),
        pytest.param(lambda storage: Prefixed(FreshnessCache(storage, 1.0), "orgs/acme"), id="below others"),
    ],
)
def test_local_storage_has_it_in_its_own_folder(tmp_path, over):
    """Beside its locks, where no key leads."""
    storage = over(LocalStorage(tmp_path))
    assert derived_folder(storage, "search") == tmp_path / ".search"
    assert is_local(storage)
    (tmp_path / ".search").mkdir()
    (tmp_path / ".search" / "file").write_bytes(b"")
    assert list(LocalStorage(tmp_path).list()) == []


def test_bucket_has_it_among_the_caches_of_the_user(tmp_path, monkeypatch):
    """A folder for each bucket, prefix and endpoint, that tells neither of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = set()
    for endpoint in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        for url in ("s3://bucket", "s3://bucket/prefix", "s3://other"):
            storage = open_storage(url)
            assert not is_local(storage)
            folders.add(derived_folder(storage, "search"))
            assert derived_folder(open_storage(url), "search") in folders
    assert len(folders) == 6
    assert {folder.parent.parent for folder in folders} == {tmp_path / "nproxy-mw"}
    assert not any("bucket" in str(folder.relative_to(tmp_path)) for folder in folders)


def test_folder_for_caches_is_in_the_home(tmp_path, monkeypatch):
    """As the XDG base directory specification has it."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = derived_folder(open_storage("s3://bucket"), "search")
    assert folder is not None
    assert folder.is_relative_to(tmp_path / ".cache" / "nproxy-mw")
    assert isinstance(folder, Path)


def test_storage_of_one_process_has_none():
    """No other process could share it."""
    storage = open_storage("memory://places")
    assert derived_folder(storage, "search") is None
    assert not is_local(storage)
