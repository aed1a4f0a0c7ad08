"""A part of a storage as a storage of its own."""

from __future__ import annotations

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Missing
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.testing import StorageContract


def new_storage() -> FsspecStorage:
    return FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))


class TestPrefixed(StorageContract):
    """The contract, beside neighbours."""

    @pytest.fixture
    def storage(self) -> Prefixed:
        whole = new_storage()
        for key in ("orgs/acme-corp/a", "orgs/acm/e", "orgs/other/a/b", "a/b"):
            whole.create(key, b"a neighbour's")
        return Prefixed(whole, "orgs/acme")


def test_keys_lie_below_the_prefix() -> None:
    """An object's key in the whole storage is the prefix and its own key."""
    whole = new_storage()
    Prefixed(whole, "orgs/acme").create("settings.json", b"{}")
    assert list(whole.list()) == ["orgs/acme/settings.json"]


@pytest.mark.parametrize("key", ["../other/a", "..", "/orgs/other/a", "a/../../other/a", ""])
def test_no_key_leads_to_a_neighbour(key: str) -> None:
    """A key that would leave the prefix is refused before the storage is asked."""
    whole = new_storage()
    whole.create("orgs/other/a", b"secret")
    with pytest.raises(ValueError, match="key"):
        Prefixed(whole, "orgs/acme").read(key)


def test_neighbour_looks_like_nothing() -> None:
    """What another part holds is missing, and in no listing."""
    whole = new_storage()
    Prefixed(whole, "orgs/other").create("a", b"secret")
    with pytest.raises(Missing):
        Prefixed(whole, "orgs/acme").read("a")
    assert list(Prefixed(whole, "orgs/acme").list()) == []


@pytest.mark.parametrize("prefix", ["", "/", "..", "orgs/../x", "orgs/"])
def test_prefix_that_is_no_key_is_refused(prefix: str) -> None:
    """A prefix is checked when the storage is made."""
    with pytest.raises(ValueError, match="key"):
        Prefixed(new_storage(), prefix)
