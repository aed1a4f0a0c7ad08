"""A store with two organisations that have something of everything."""

from __future__ import annotations

import uuid

import pytest
from publications import ACTOR, publish

from nproxy_mw.access import Grant
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organisation, open_organisation
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Storage


@pytest.fixture
def storage(request: pytest.FixtureRequest, tmp_path) -> Storage:
    """A whole, empty store: in memory, or in a folder where a test asks for it."""
    return open_storage(
        f"memory://{uuid.uuid4().hex}" if getattr(request, "param", "memory") == "memory" else str(tmp_path / "store")
    )


def furnish(storage: Storage) -> None:
    """Puts something of everything into *storage*."""
    for org in ("acme", "umbrella"):
        organisation = open_organisation(storage, ThreadLocks(), org)
        organisation.settings.ensure_scopes([f"@{org}"], actor=ACTOR)
        _, token = organisation.tokens.create("ci", [Grant.PUBLISH], actor=ACTOR)
        organisation.tokens.create("laptop", [Grant.PROXY], actor=ACTOR)
        organisation.tokens.revoke(token.id, actor=ACTOR)
        for version in ("1.0.0", "1.1.0", "2.0.0-beta.1"):
            publish(organisation, f"@{org}/utils", version)
        publish(organisation, f"@{org}/gone", "1.0.0")
        gone = parse_name(f"@{org}/gone")
        organisation.packages.unpublish(gone, organisation.packages.record(gone)[0].revision, ACTOR)


@pytest.fixture(scope="session")
def furnished() -> dict[str, bytes]:
    """The objects of such a store: made once, for signing and syncing take their time."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    furnish(storage)
    return {key: storage.read(key).data for key in storage.list()}


@pytest.fixture
def store(storage: Storage, furnished: dict[str, bytes]) -> Storage:
    """A whole store with something of everything."""
    for key, data in furnished.items():
        storage.create(key, data)
    return storage


@pytest.fixture
def acme(store: Storage) -> Organisation:
    """One of its organisations."""
    return open_organisation(store, ThreadLocks(), "acme")
