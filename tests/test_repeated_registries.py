"""The registries that this package puts together repeat answers, each to whom it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.client import Client
from support.hosting import PlatformFixture
from support.registry import ACTOR, publish
from support.repeating import ANSWERS, World, world

from nproxy_mw.access import Principal
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.hosting import Platform, platform
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.repeat import Repeat
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg
from nproxy_mw.orgs.organization import Organization, Organizations
from nproxy_mw.stack import front_page, layers, registry, stack
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import ORGANIZATION
from nproxy_mw.upstream.public_only import PublicOnly

PACKUMENT = "/@acme/utils"


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


def applications(made_of: World) -> Iterator[tuple[Any, str]]:
    """The applications that the library composes, on one store, and the paths that their packages are below."""
    place, options = str(made_of.folder / "store"), {"upstream": made_of.upstream.url}
    yield registry(place, **options), ""
    yield registry(place, **options, send_files="x-accel-redirect"), ""
    yield platform(place, resolve=FixedOrg("default"), **options), ""
    yield platform(place, resolve=ByPath(), **options), "/default"


def test_composed_applications_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`registry` and `platform` put the memory where it sees all that it may repeat, and nothing of a host's."""
    seen: list[str] = []
    inner = Authenticate.__call__

    def counted(layer: Authenticate, environ: Any, start_response: Any) -> Any:
        seen.append(environ["PATH_INFO"])
        return inner(layer, environ, start_response)

    monkeypatch.setattr(Authenticate, "__call__", counted)
    with world(tmp_path) as made_of:
        for app, below in applications(made_of):
            client = Client(app, made_of.token)
            for path, headers in ANSWERS:
                for _ in range(3):
                    expected = client.get(below + path, **headers)
                before = len(seen)
                assert client.get(below + path, **headers) == expected
                assert len(seen) == before


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


def test_an_organization_that_is_gone_gets_nothing(tmp_path: Path) -> None:
    """What it was answered before ends with it, though nobody touched its packages."""
    token = made(Organizations.at(str(tmp_path)), "acme", "1.0.0")
    client = Client(Platform(Organizations.at(str(tmp_path), freshness=0.0), resolve=ByPath()), token)
    assert [client.get(f"/acme{PACKUMENT}").status for _ in range(3)] == [200] * 3
    open_storage(str(tmp_path)).delete(ORGANIZATION.key("acme"))
    assert client.get(f"/acme{PACKUMENT}").status == 404


def test_what_is_asked_with_a_session_is_not_repeated() -> None:
    """The dashboard and the management API answer by what is no part of a comparison."""
    fixture = PlatformFixture()
    fixture.token("acme", "proxy")
    client = fixture.manager()
    for path in ("/api/v1/orgs", "/api/v1/orgs/acme/settings", "/api/v1/orgs/acme/tokens", "/-/dashboard", "/"):
        for _ in range(3):
            assert client.get(path, accept="text/html" if "/api" not in path else "*/*").status < 400
    assert isinstance(fixture.platform._app, Repeat)
    assert not len(fixture.platform._app)


class OwnTokens:
    """Tokens of a host that asks the registry's own, and then decides for itself."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.left: set[str] = set()

    def find(self, secret: str) -> Principal | None:
        principal = self.organization.tokens.find(secret)
        return None if principal is None or principal.name in self.left else principal


def test_tokens_of_a_hosts_own_are_asked_each_time(organizations: Organizations) -> None:
    """Whatever they go by, somebody who has left gets nothing more."""
    token = made(organizations, "acme", "1.0.0")
    organization = organizations.open("acme", is_made=True)
    tokens = OwnTokens(organization)
    client = Client(registry(organization, tokens=tokens), token)
    for _ in range(3):
        assert client.get(PACKUMENT).status == 200
    tokens.left.add("ann")
    assert client.get(PACKUMENT).status == 401


def test_settings_and_sources_of_a_hosts_own_are_asked_each_time(tmp_path: Path) -> None:
    """Also where a host puts Repeat into a stack of its own."""
    with world(tmp_path) as made_of:
        process = made_of.repeating
        organization, gateway, firewall = process.organization, process.gateway, process.firewall
        settings: list[object] = []

        def own_settings() -> Any:
            settings.append(organization.settings.get())
            return settings[-1]

        for own in (
            layers(organization, gateway, firewall=firewall).replace(
                scope_router=partial(ScopeRouter, settings=own_settings)
            ),
            layers(organization, gateway, firewall=firewall, source=PublicOnly(firewall.source, tuple)),
            layers(organization, gateway, firewall=Firewall(PublicOnly(gateway.source, tuple), firewall.policies)),
        ):
            repeat = Repeat(stack(*own, on=front_page))
            client = Client(repeat, made_of.token)
            for _ in range(4):
                assert client.get("/left-pad").status == 200
            assert not len(repeat)
        assert len(settings) == 4
