"""A whole registry for a test: one organization, an upstream that remembers what it was asked, clients with tokens."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.stack import front_page, layers
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import Locks, ThreadLocks
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.upstream.responses import UpstreamResponse
from support.client import Client, Response, validated

ACTOR = Actor(name="tests")


class SilentUpstream:
    """A transport that has nothing, and remembers what it was asked."""

    upstream_url = "https://upstream.example"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def send(
        self, method: str, target: str, headers: Any = (), body: bytes | Iterable[bytes] | None = None
    ) -> UpstreamResponse:
        data = body if isinstance(body, bytes) else b"".join(body or ())
        self.asked.append((method, target, {name.lower(): value for name, value in headers}, data))
        return UpstreamResponse(404, [], lambda size: iter([b"{}"]))

    def fetch(self, method: str, url: str, headers: Any = ()) -> UpstreamResponse:
        return self.send(method, url, headers)


class RegistryFixture:
    """The standard stack on *storage*, between validators. Settings are given in the management API's words."""

    def __init__(
        self,
        storage: Storage | None = None,
        *,
        public_url: str | None = None,
        locks: Locks | None = None,
        clock: Any = None,
        **settings: Any,
    ) -> None:
        self.storage = storage or open_storage(f"memory://{uuid.uuid4().hex}")
        clocks = {"clock": clock} if clock else {}
        self.organization: Organization = open_organization(self.storage, locks or ThreadLocks(), **clocks)
        self.organization.settings.change({"internalScopes": ["@acme"], **settings}, actor=ACTOR)
        self.upstream = SilentUpstream()
        self.layers = layers(self.organization, self.upstream, public_url=public_url)
        self.app = validated(self.layers, on=front_page)

    @property
    def packages(self) -> Any:
        return self.organization.packages

    def token(self, *grants: str, name: str = "ann", **how: Any) -> str:
        return self.organization.tokens.create(name, grants or ("proxy", "publish"), actor=ACTOR, **how)[0]

    def client(self, *grants: str, **environ: Any) -> Client:
        """A client with a new token that may do all of *grants*; everything when none is named."""
        return Client(self.app, self.token(*grants), environ=environ)

    def stranger(self, **environ: Any) -> Client:
        """A client without a token."""
        return Client(self.app, environ=environ)

    def stored(self) -> list[str]:
        """Everything that is stored below packages and tarballs."""
        found = self.organization.storage.list()
        return sorted(key for key in found if key.startswith(("packages/", "tarballs/")))


def publish(client: Client, name: str = "@acme/utils", version: str = "1.0.0", **how: Any) -> Response:
    """Publishes as npm does."""
    return client.put(f"/{name.replace('/', '%2f')}", publish_document(name, version, **how))


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below *folder* with the hash of its bytes; locks, which hold none, left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
