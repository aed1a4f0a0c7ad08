"""The registries that this package puts together repeat answers, each to whom it belongs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.client import Client
from support.registry import ACTOR, publish

from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.tenants import ByHost, FixedOrg
from nproxy_mw.orgs.organization import Organization, Organizations
from nproxy_mw.stack import registry

PACKUMENT = "/@acme/utils"
TARBALL = "/@acme/utils/-/utils-1.0.0.tgz"


def counted(organization: Organization) -> Callable[[], int]:
    """Returns how often the settings of *organization* were asked for, which the layers below Repeat do each time."""
    asked: list[None] = []
    real = organization.settings.get

    def get() -> Any:
        asked.append(None)
        return real()

    organization.settings.get = get  # type: ignore[method-assign]
    return lambda: len(asked)


def made(organizations: Organizations, org: str, *versions: str) -> str:
    """Makes the organization *org* with ``@acme/utils`` in *versions*; returns a token of it."""
    organization = organizations.ensure(org, actor=ACTOR)
    organization.settings.change({"internalScopes": ["@acme"]}, actor=ACTOR)
    token, _ = organization.tokens.create("ann", ["proxy", "publish"], actor=ACTOR)
    for version in versions:
        publish(Client(registry(organization), token), version=version)
    return token


@pytest.fixture
def organizations(tmp_path: Path) -> Organizations:
    return Organizations.at(str(tmp_path))


def test_a_registry_repeats(organizations: Organizations) -> None:
    """Of many equal requests, few reach the layers below."""
    token = made(organizations, "acme", "1.0.0")
    organization = organizations.open("acme", is_made=True)
    asked = counted(organization)
    client = Client(registry(organization), token)
    for path in (PACKUMENT, TARBALL):
        for _ in range(3):
            client.get(path)
        before = asked()
        assert client.get(path).status == 200
        assert asked() == before


def test_a_platform_repeats(organizations: Organizations) -> None:
    """So does the stack of each of its organizations."""
    token = made(organizations, "acme", "1.0.0")
    platform = Platform(organizations, resolve=FixedOrg("acme"))
    asked = counted(platform.organization("acme"))
    client = Client(platform, token)
    for _ in range(3):
        client.get(PACKUMENT)
    before = asked()
    assert client.get(PACKUMENT).status == 200
    assert asked() == before


class ByHeader:
    """A host that tells its organizations apart by what its own login has found out."""

    fixed_org = None
    management_domain = None

    def __call__(self, environ: Any) -> Any:
        return environ["HTTP_X_ORG"], environ

    def public_url(self, base: str, org: str) -> str:
        return base

    def describe(self, base: str) -> str:
        return base


def test_requests_that_differ_only_in_their_organization_get_answers_of_their_own(tmp_path: Path) -> None:
    """Whatever tells whose a request is: what was answered to one organization is not given to another."""
    organizations = Organizations.at(str(tmp_path))
    token = made(organizations, "acme", "1.0.0")
    made(organizations, "other", "2.0.0")
    client = Client(Platform(organizations, resolve=ByHeader()), token)
    for _ in range(4):
        assert client.get(PACKUMENT, x_org="acme").status == 200
        assert client.get(PACKUMENT, x_org="other").status == 401


def test_a_name_of_no_organization_gets_nothing(organizations: Organizations) -> None:
    """Another spelling of an organization's host is either the organization or nobody."""
    token = made(organizations, "acme", "1.0.0")
    client = Client(Platform(organizations, resolve=ByHost("registry.example")), token)
    for _ in range(3):
        assert client.get(PACKUMENT, host="acme.registry.example").status == 200
        assert client.get(PACKUMENT, host="nobody.registry.example").status == 404
