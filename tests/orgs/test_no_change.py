"""A write that changes nothing leaves no trace: no event, and no byte more in the storage."""

from __future__ import annotations

from contextlib import suppress

import pytest
from support.hosting import PASSWORD, PlatformFixture
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw.errors import ClientError
from nproxy_mw.npm.names import parse_name
from nproxy_mw.packages import editing

NAME = parse_name("@acme/utils")
WANTED = {"package": "axios", "reason": "needed"}


@pytest.fixture
def filled() -> PlatformFixture:
    """A package, a token and people."""
    tenants = PlatformFixture()
    tenants.scopes("acme", "@acme")
    organization = tenants.platform.organization("acme")
    for version in ("1.0.0", "1.1.0"):
        publish(organization, str(NAME), version)
    organization.tokens.create("ci", ["proxy"], actor=ACTOR)
    for name in ("ann", "eve"):
        tenants.administrators.create(name, PASSWORD, actor=ACTOR)
    return tenants


def _answered(filled: PlatformFixture, verb: str) -> None:
    requests = filled.platform.organization("acme").exception_requests
    asked = requests.ask(WANTED, actor=ACTOR) if not requests.list() else requests.list()[0]
    if verb == "deny":
        requests.deny(asked.id, {}, actor=ACTOR)
    if verb == "approve":
        requests.approve(asked.id, {"expiresAt": "2099-01-01T00:00:00Z"}, actor=ACTOR)


SETTINGS = {
    "internalScopes": ["@acme", "@tools"],
    "publicReads": False,
    "versionUnpublish": True,
    "rules": {"malware": {"mode": "warn"}},
    "ledgerDays": 30,
}
WRITES = {
    "settings": lambda it: it.settings.change(SETTINGS, actor=ACTOR),
    "scopes at a start": lambda it: it.settings.ensure_scopes(["@acme"], actor=ACTOR),
    "tag": lambda it: it.packages.tag(NAME, "next", "1.0.0", ACTOR),
    "no tag": lambda it: it.packages.untag(NAME, "absent", ACTOR),
    "deprecation": lambda it: editing.set_message(it.packages, NAME, "1.0.0", "old", actor=ACTOR),
    "no deprecation": lambda it: editing.set_message(it.packages, NAME, "", "", actor=ACTOR),
    "publish": lambda it: publish(it, str(NAME), "2.0.0"),
    "unpublish": lambda it: editing.unpublish(it.packages, NAME, "", is_allowed=True, actor=ACTOR),
    "revoke": lambda it: it.tokens.revoke(it.tokens.list(revoked=True)[0].id, actor=ACTOR),
}
ACCOUNTS = {
    "role": lambda it: it.administrators.set_access("eve", role="reader", organizations=["acme"], actor=ACTOR),
    "role that it has": lambda it: it.administrators.set_access("ann", role="administrator", actor=ACTOR),
    "account": lambda it: it.administrators.create("bob", PASSWORD, actor=ACTOR),
    "removal": lambda it: it.administrators.remove("eve", actor=ACTOR),
    "sign-out": lambda it: it.sessions.revoke("session_" + "x" * 43, actor=ACTOR),
    "other sessions": lambda it: it.sessions.end_others("ann", "", actor=ACTOR),
    "organization": lambda it: it.organizations.create("gamma", None, actor=ACTOR),
    "organization at a start": lambda it: it.organizations.ensure("acme", actor=ACTOR),
    "request": lambda it: _answered(it, "ask"),
    "denial": lambda it: _answered(it, "deny"),
    "approval": lambda it: _answered(it, "approve"),
}


def contents(filled: PlatformFixture) -> dict[str, bytes]:
    return {key: filled.storage.read(key).data for key in filled.storage.list()}


@pytest.mark.parametrize("name", [*WRITES, *ACCOUNTS])
def test_the_second_time_changes_nothing(filled: PlatformFixture, name: str) -> None:
    """Every object is as it was, byte by byte: the same settings, tag, message, role, end."""
    act = ACCOUNTS.get(name) or (lambda it: WRITES[name](it.platform.organization("acme")))
    with suppress(ClientError):
        act(filled)
    before = contents(filled)
    with suppress(ClientError):
        act(filled)
    assert {key for key, data in contents(filled).items() if before.get(key) != data} == set()
