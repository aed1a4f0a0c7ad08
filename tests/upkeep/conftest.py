"""A store with two organizations that have something of everything."""

from __future__ import annotations

import uuid

import pytest
from support.publications import ACTOR, publish

from nproxy_mw.access import Grant
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organization, open_organization
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
        organization = open_organization(storage, ThreadLocks(), org)
        organization.settings.ensure_scopes([f"@{org}"], actor=ACTOR)
        _, token = organization.tokens.create("ci", [Grant.PUBLISH], actor=ACTOR)
        organization.tokens.create("laptop", [Grant.PROXY], actor=ACTOR)
        organization.tokens.revoke(token.id, actor=ACTOR)
        organization.exception_requests.ask({"package": "left-pad", "reason": "needed"}, actor=ACTOR)
        for version in ("1.0.0", "1.1.0", "2.0.0-beta.1"):
            publish(organization, f"@{org}/utils", version)
        publish(organization, f"@{org}/gone", "1.0.0")
        gone = parse_name(f"@{org}/gone")
        organization.packages.unpublish(gone, organization.packages.record(gone)[0].revision, ACTOR)


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
def acme(store: Storage) -> Organization:
    """One of its organizations."""
    return open_organization(store, ThreadLocks(), "acme")
