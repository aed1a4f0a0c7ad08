"""Listings with revisions, through the storages that stand on other storages."""

from __future__ import annotations

import pytest

from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.listing import list_names, list_with_revisions
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.testing.faults import Faulty


@pytest.mark.parametrize(
    "over",
    [
        pytest.param(lambda storage: storage, id="local"),
        pytest.param(lambda storage: FreshnessCache(storage, 60.0), id="freshness"),
        pytest.param(lambda storage: Prefixed(FreshnessCache(storage, 60.0), "orgs/acme"), id="prefix"),
    ],
)
def test_revisions_come_through(tmp_path, over):
    """What the back end lists is listed by what stands on it, relative to its prefix, and never from memory."""
    storage = over(LocalStorage(tmp_path))
    first = storage.create("packages/a", b"1")
    assert dict(list_with_revisions(storage, "packages")) == {"packages/a": first}
    second = storage.replace("packages/a", b"2", first)
    assert dict(list_with_revisions(storage, "packages")) == {"packages/a": second}


def test_names_in_a_folder_come_through(tmp_path):
    """Those of objects and of folders, without what is in these; none of a folder that is not there."""
    storage = Prefixed(FreshnessCache(LocalStorage(tmp_path), 60.0), "orgs/acme")
    storage.create("packages/a", b"1")
    storage.create("packages/b/c", b"1")
    assert sorted(list_names(storage, "packages")) == ["a", "b"]
    assert list_names(storage) == ["packages"]
    assert list_names(storage, "tokens") == []
    assert list_names(Prefixed(Faulty(LocalStorage(tmp_path), 99), "orgs/acme"), "packages") is None


def test_storage_without_them_lists_keys(tmp_path):
    """The method is optional: without it the keys are listed, and no revision is made up."""
    storage = Prefixed(Faulty(LocalStorage(tmp_path), 99), "orgs/acme")
    storage.create("packages/a", b"1")
    assert dict(list_with_revisions(storage, "packages")) == {"packages/a": None}


def test_object_deleted_during_the_listing_is_left_out(tmp_path):
    """An object that is gone when its revision is asked for is not in the listing."""
    storage = LocalStorage(tmp_path)
    for number in range(3):
        storage.create(f"a/{number}", b"")
    listing = storage.list_with_revisions("a")
    first, _ = next(listing)
    for key in {"a/0", "a/1", "a/2"} - {first}:
        storage.delete(key)
    assert list(listing) == []
