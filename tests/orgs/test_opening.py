"""The organizations of one storage, opened: where it can be written to, and where it can only be read."""

from __future__ import annotations

import logging

import pytest
from support.client import Client
from support.logs import messages_of
from support.registry import ACTOR

from nproxy_mw import registry
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.hosting import platform
from nproxy_mw.middleware.tenants import ByPath, FixedOrg
from nproxy_mw.orgs import organization
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.storage import open_storage

FULL = "The storage is full: make room on its disk."


class Full:
    """A storage on a disk without room."""

    def __init__(self, storage):
        self.storage = storage

    def __getattr__(self, name):
        if name in ("create", "replace"):
            return self.fail
        return getattr(self.storage, name)

    def fail(self, *_, **__):
        raise StorageUnavailable(FULL, retry_after=10)


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setattr(organization, "open_storage", lambda url, **how: Full(open_storage(url, **how)))


def test_organization_is_created_once(url):
    """ensure makes it, and opens what it made."""
    organizations = Organizations.at(url)
    assert not organizations.has("acme")
    assert organizations.ensure("acme", actor=ACTOR).id == "acme"
    assert organizations.has("acme")
    assert len(Organizations.at(url).ensure("acme", actor=ACTOR).trail.chain()) == 1


@pytest.mark.parametrize("start", [
    pytest.param(lambda url: registry(url, internal_scopes=["@acme"]), id="registry"),
    pytest.param(lambda url: platform(url, resolve=FixedOrg("default")), id="platform, fixed"),
    pytest.param(lambda url: platform(url, resolve=ByPath()), id="platform, by path"),
])  # fmt: skip
def test_full_disk_does_not_stop_a_start(url, start, monkeypatch, caplog):
    """What is stored is served, as before the restart; the log says that nothing can be published."""
    registry(url, internal_scopes=["@acme"])
    monkeypatch.setattr(organization, "open_storage", lambda url, **how: Full(open_storage(url, **how)))
    with caplog.at_level(logging.WARNING, "nproxy_mw"):
        app = start(url)
    assert messages_of(caplog, organization.__name__) == [f"{FULL} It is read meanwhile, and nothing can be published."]
    path = "/-/ping" if not isinstance(getattr(app, "resolve", None), ByPath) else "/default/-/ping"
    assert Client(app).get(path).status == 200


def test_full_disk_stops_a_first_start(url, full):
    """Nothing is there to be served."""
    with pytest.raises(StorageUnavailable, match="full"):
        registry(url)
    with pytest.raises(StorageUnavailable, match="full"):
        platform(url, resolve=ByPath())


def test_scope_that_cannot_be_added_stops_a_start(url, monkeypatch):
    """A registry that forgot an internal scope would ask the upstream for its packages."""
    registry(url, internal_scopes=["@acme"])
    monkeypatch.setattr(organization, "open_storage", lambda url, **how: Full(open_storage(url, **how)))
    registry(url, internal_scopes=["@acme"])
    with pytest.raises(StorageUnavailable, match="full"):
        registry(url, internal_scopes=["@acme", "@tools"])


def test_seal_is_given_or_of_the_environment(url, monkeypatch):
    """What the code gives goes before NPROXY_SEAL_KEY."""
    own, other = Seal(b"1" * 32), "31" * 32
    assert Organizations.at(url).seal is None
    assert Organizations.at(url, seal=own).seal is own
    monkeypatch.setenv("NPROXY_SEAL_KEY", other)
    assert Organizations.at(url, seal=own).seal is own
    assert Organizations.at(url).seal is not None
    registry(url, internal_scopes=["@acme"], seal=own)
