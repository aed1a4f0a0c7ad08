"""Two processes of one registry, with a cache and an upstream: one repeats its answers, the other never does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nproxy_mw.background import Periodic
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.gateway import Gateway, open_gateway
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.middleware.repeat import Repeat
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.stack import front_page, layers, stack
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.generations import Generations
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import utc_now
from nproxy_mw.upstream.cache import open_cache
from nproxy_mw.upstream.transport import Urllib3Transport
from support.client import Client
from support.registry import ACTOR, publish

ALLOWED = {"version_age": {"mode": "off"}, "first_seen": {"mode": "off"}}
"""Rules that a new upstream does not trip over."""

ANSWERS = (
    ("/left-pad", {"accept_encoding": "gzip"}),
    ("/left-pad", {"npm_command": "install"}),
    ("/left-pad/1.0.0", {}),
    ("/left-pad/-/left-pad-1.0.0.tgz", {}),
    ("/@acme/utils", {"accept_encoding": "gzip"}),
    ("/@acme/utils", {"accept": "application/vnd.npm.install-v1+json"}),
    ("/@acme/utils/latest", {}),
    ("/@acme/utils/-/utils-1.0.0.tgz", {}),
)
"""What is asked for, and with which headers: each kind of answer that is repeated."""


class Process:
    """One process: *app* with the objects that it is made of. *requests* counts those that no answer was kept for."""

    def __init__(self, world: World, *, repeats: bool) -> None:
        self.organization: Organization = open_organization(world.storage(), ThreadLocks(), clock=world.clock)
        cache = open_cache(str(world.folder / "cache"), world.upstream.url, ttl=world.ttl)
        transport = Urllib3Transport(world.upstream.url)
        self.gateway: Gateway = open_gateway(transport, cache=cache, intelligence=world.intelligence)
        self.firewall: Firewall = self.gateway.firewall(self.organization)
        self.firewall.source.clock = world.clock
        self.requests = 0
        own = layers(self.organization, self.gateway, firewall=self.firewall)
        outer = [Repeat] if repeats else []
        self.app = stack(*outer, self._counted, *own, on=front_page)

    def _counted(self, app: Any) -> Any:
        def counted(environ: Any, start_response: Any) -> Any:
            self.requests += 1
            return app(environ, start_response)

        return counted


class World:
    """The registry: an upstream with ``left-pad``, an internal ``@acme/utils``, and a clock that is set by hand."""

    def __init__(
        self,
        folder: Path,
        upstream: RecordingUpstream,
        *,
        ttl: float = 300.0,
        intelligence: Intelligence | None = None,
        bucket: Storage | None = None,
    ) -> None:
        self.folder = folder
        self.bucket = bucket
        self.upstream = upstream
        self.ttl = ttl
        self.intelligence = intelligence
        self.ahead = timedelta()
        self.repeating = Process(self, repeats=True)
        self.plain = Process(self, repeats=False)
        self.organization = self.plain.organization
        self.organization.settings.change({"internalScopes": ["@acme"], "rules": ALLOWED}, actor=ACTOR)
        self.token, self.record = self.organization.tokens.create("ann", ["proxy", "publish"], actor=ACTOR)
        for version in ("1.0.0", "1.1.0"):
            publish(Client(self.plain.app, self.token), version=version)

    def storage(self) -> Storage:
        """Returns what a process opens: a folder, or *bucket*, of which processes of one host tell each other."""
        if self.bucket is None:
            return open_storage(str(self.folder / "store"))
        return FreshnessCache(self.bucket, 3600.0, generations=Generations(self.folder / "generations"))

    @property
    def repeated(self) -> list[tuple[str, dict[str, str]]]:
        """What of `ANSWERS` is repeated: a bucket is asked for each internal tarball."""
        return [each for each in ANSWERS if self.bucket is None or not each[0].startswith("/@acme/utils/-/")]

    def clock(self) -> datetime:
        """What the processes take for the present."""
        return utc_now() + self.ahead

    def client(self, *, repeats: bool = True, token: str | None = None, **environ: Any) -> Client:
        """A client of one of the processes."""
        process = self.repeating if repeats else self.plain
        return Client(process.app, self.token if token is None else token, environ=environ)

    def is_repeated(self, client: Client, path: str, headers: dict[str, str]) -> bool:
        """Whether the answer to this was kept. It is asked for."""
        before = self.repeating.requests
        client.get(path, **headers)
        return self.repeating.requests == before

    def warm(self, client: Client, path: str, headers: dict[str, str]) -> None:
        """Asks until the answer is repeated."""
        assert any(self.is_repeated(client, path, headers) for _ in range(5))


@contextmanager
def world(folder: Path, **how: Any) -> Iterator[World]:
    """A world, and its upstream for as long as it is needed. Nothing outlives it, with its open files."""
    with RecordingUpstream() as upstream, patch.object(Periodic, "ensure", return_value=False):
        for version in ("1.0.0", "1.1.0"):
            upstream.publish("left-pad", version)
        made = World(folder, upstream, **how)
        yield made
        for process in (made.repeating, made.plain):
            process.organization.trail.dirty.settle()
