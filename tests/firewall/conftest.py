"""An organization, an upstream, and processes of the server that share a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.client import Client, validated
from support.registry import ACTOR

from nproxy_mw.copies import replace
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.gateway import open_gateway
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.stack import front_page, layers
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.upstream.cache import open_cache
from nproxy_mw.upstream.transport import Urllib3Transport

ONLY = {"version_age": {"mode": "off"}, "first_seen": {"mode": "off"}}
"""Rules that a new upstream does not trip over."""


@dataclass
class Process:
    """A process of the server: its application, and the rules in it."""

    app: Any
    firewall: Firewall

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as upstream:
        for version in ("1.0.0", "1.1.0"):
            upstream.publish("left-pad", version)
        yield upstream


@pytest.fixture
def organization(tmp_path: Path) -> Organization:
    organization = open_organization(open_storage(str(tmp_path / "store")), ThreadLocks())
    organization.settings.change({"rules": dict(ONLY)}, actor=ACTOR)
    return organization


@pytest.fixture
def set_rules(organization: Organization) -> Callable[..., None]:
    """Changes rules of the organization."""

    def set_rules(**rules: Any) -> None:
        organization.settings.change({"rules": {**ONLY, **rules}}, actor=ACTOR)

    return set_rules


@pytest.fixture
def process(upstream: RecordingUpstream, organization: Organization, tmp_path: Path) -> Callable[..., Client]:
    """Makes a client of a new process of the server: all of them share one cache."""

    def process(ttl: float = 300.0, whole_first: float = 30.0, **options: Any) -> Client:
        cache = replace(open_cache(str(tmp_path / "cache"), upstream.url, ttl=ttl), whole_first=whole_first)
        gateway = open_gateway(Urllib3Transport(upstream.url), cache=cache, **options)
        firewall = gateway.firewall(organization)
        app = validated(layers(organization, gateway, firewall=firewall), on=front_page)
        return Client(Process(app, firewall))

    return process
