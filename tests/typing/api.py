"""Type-checked only: how users write against the front door. A wrong keyword or a wrong port must not pass mypy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, assert_type

from nproxy_mw import (
    Authenticate,
    ErrorResponses,
    Forwarder,
    Grant,
    InternalStore,
    Mount,
    NoUpstream,
    Organization,
    Principal,
    ScopeRouter,
    StaticTokens,
    Urllib3Transport,
    layers,
    organization_at,
    registry,
    stack,
)
from nproxy_mw.access import Tokens
from nproxy_mw.http.context import DESTINATION, PRINCIPAL, ROUTE, Context, Destination
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.packages.source import StoredPackages
from nproxy_mw.storage import FsspecStorage, LocalStorage, Storage
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def host(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A host's own application."""
    start_response("200 OK", [])
    return []


def one_call() -> WSGIApplication:
    """The whole registry in one call, mounted."""
    tokens = StaticTokens({"nproxy_x": Principal(name="ci", grants=frozenset({Grant.PROXY}))})
    whole: WSGIApplication = registry("memory://", internal_scopes=["@acme"], tokens=tokens, on=host)
    return Mount(host, "/npm", whole)


class OwnLayer:
    """A layer of the host's own: no base class."""

    def __init__(self, app: WSGIApplication, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert_type(PRINCIPAL.require(environ, by="OwnLayer"), Principal)
        assert_type(ROUTE.find(environ), Route | None)
        assert_type(DESTINATION.require(environ, by="OwnLayer"), Destination)
        return self.app(environ, start_response)


class OwnSettings:
    """Settings that a host keeps itself: what the layers need, and no more."""

    internal_scopes: Collection[str] = ("@acme",)
    public_reads = True
    version_unpublish = False
    slim_packuments = True
    audit_without_advisories = "empty"
    rate_limit = None


class OwnTokens:
    """Tokens that a host keeps itself."""

    def find(self, secret: str) -> Principal | None:
        """Nobody."""
        return None


class OwnTransport:
    """An upstream that a host asks in its own way."""

    upstream_url = "https://upstream.example"

    def send(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | Iterable[bytes] | None = None,
    ) -> UpstreamResponse:
        """Nothing."""
        return UpstreamResponse(404, [], lambda size: iter([b""]))

    def fetch(self, method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> UpstreamResponse:
        """Nothing."""
        return UpstreamResponse(404, [], lambda size: iter([b""]))


def by_hand(acme: Organization) -> WSGIApplication:
    """Composed by hand, from the host's own parts."""
    return stack(
        ErrorResponses,
        partial(Authenticate, tokens=OwnTokens()),
        partial(OwnLayer, limit=1),
        partial(ScopeRouter, settings=OwnSettings),
        partial(InternalStore, packages=acme.packages),
        partial(Forwarder, transport=OwnTransport()),
        on=host,
    )


def wrong(acme: Organization) -> None:
    """What mypy must refuse: each line would otherwise fail at the first request, or open a door."""
    partial(Authenticate, token=OwnTokens())  # type: ignore[call-arg]
    partial(ScopeRouter, settings=OwnTokens())  # type: ignore[arg-type]
    partial(InternalStore, packages=acme)  # type: ignore[arg-type]
    registry("memory://", "@acme")  # type: ignore[call-arg]
    Mount(host, registry("memory://"), "/npm")  # type: ignore[arg-type]
    Principal(grants=frozenset({"proxy"}))  # type: ignore[arg-type]
    Context().principal = "ann"  # type: ignore[assignment]


def ports_are_kept(acme: Organization, local: LocalStorage, memory: FsspecStorage) -> None:
    """What is shipped fits the ports."""
    storages: list[Storage] = [local, memory, acme.storage]
    tokens: list[Tokens] = [acme.tokens, StaticTokens({}), OwnTokens()]
    transports: list[Transport] = [Urllib3Transport("https://upstream.example"), OwnTransport()]
    sources: list[PackageSource] = [Remote(transports[0]), StoredPackages(acme.packages), Remote(transports[1])]
    assert_type(acme.settings, SettingsStore)
    assert_type(acme.tokens, TokenStore)
    assert_type(organization_at("memory://"), Organization)
    with_all = layers(acme, transports[0], source=sources[0], tokens=tokens[0], public_url="https://npm.acme.example")
    without: WSGIApplication = stack(*layers(acme, None), NoUpstream, on=host)
    print(storages, with_all, without)
