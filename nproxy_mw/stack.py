"""The building: which layer stands on which. Read this file first.

A request enters at the top and goes down until a layer answers it. The standard stack of one organization::

    Repeat            asked before, and nothing has changed?
    ErrorResponses    every error becomes npm's JSON          fills in the request's id
    Authenticate      who is asking?                          fills in PRINCIPAL
    ScopeRouter       whose package is it?                    fills in ROUTE, DESTINATION and SETTINGS
    RateLimit         too often?
    RecordInstalls    which versions are handed out?
    InternalStore     internal packages, from storage
    Forwarder         everything else, from the upstream; refuses anything marked internal

`registry` is nothing but this stack on one storage. A host that wants a layer of its own between them takes `layers`,
or composes them by hand, with `stack`. `layers` has no Repeat, which would keep requests from a layer inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from nproxy_mw.access import Actor, Tokens
from nproxy_mw.firewall.advisories import Unruled
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.gateway import Gateway, open_gateway
from nproxy_mw.http.layering import Layer, Layers, stack
from nproxy_mw.http.messages import json_response, send
from nproxy_mw.http.sites import base_url
from nproxy_mw.http.views import Views
from nproxy_mw.intelligence.combined import combined
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.middleware.internal_store import InternalStore
from nproxy_mw.middleware.no_upstream import NoUpstream
from nproxy_mw.middleware.rate_limit import RateLimit
from nproxy_mw.middleware.record_installs import RecordInstalls
from nproxy_mw.middleware.repeat import Repeat
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.middleware.send_files import SendFiles
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.orgs.organization import DEFAULT_ORG, Organization, Organizations
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.storage.places import folder_of
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.urls import local_folder
from nproxy_mw.upstream.cache import default_cache, open_cache
from nproxy_mw.upstream.eviction import DEFAULT_BOUND
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.rooms import WAITING
from nproxy_mw.upstream.transport import Transport, Urllib3Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = [
    "DEPLOYMENT",
    "Layer",
    "Layers",
    "front_page",
    "gateway_to",
    "known_by",
    "layers",
    "registry",
    "sending_files",
    "stack",
    "transport_to",
]

DEPLOYMENT = Actor(name="deployment")
"""The actor in the audit trail when the code that builds a registry changes its settings."""


def layers(
    organization: Organization,
    upstream: Gateway | Transport | None,
    *,
    source: PackageSource | None = None,
    firewall: Firewall | None = None,
    intelligence: Intelligence | None = None,
    tokens: Tokens | None = None,
    public_url: str | None = None,
    views: Views | None = None,
) -> Layers:
    """Returns the standard stack of one organization, for a host that puts layers of its own between them.

    The names are ``error_responses``, ``authenticate``, ``scope_router``, ``rate_limit``, ``record_installs``,
    ``internal_store`` and ``forwarder``. *upstream* is a gateway, or a transport alone, which is asked at each read and
    judged by no rule. If it is None, there are internal packages only, and NoUpstream stands in the place of Forwarder.
    *source* is what public packages are read from; if it is None, it is the gateway with the organization's rules.
    *firewall* has these rules; if it is None, it is made of the gateway. *intelligence* is what audits know where there
    is no upstream. If *tokens* is None, they are the organization's own. If *public_url* is None, URLs in answers
    follow the request. If *views* is None, finished answers are kept in 64 MiB for internal packages and in as much for
    public ones.

    Raises:
        TypeError: *organization* or *upstream* is something else.
    """
    if not isinstance(organization, Organization):
        raise TypeError("layers takes an organization, and a gateway, a transport or None: layers(organization, None).")
    if not isinstance(upstream, Gateway):
        _check_transport(upstream)
    if isinstance(upstream, Gateway):
        firewall = firewall or upstream.firewall(organization, public_url)
        source = source or firewall.source
    elif upstream is not None:
        source = source or (firewall.source if firewall else Remote(upstream))
    return Layers(
        {
            "error_responses": ErrorResponses,
            "authenticate": partial(Authenticate, tokens=tokens or organization.tokens),
            "scope_router": partial(ScopeRouter, settings=organization.settings.get),
            "rate_limit": partial(RateLimit, rates=organization.rates, org=organization.id),
            "record_installs": partial(RecordInstalls, ledger=organization.ledger),
            "internal_store": partial(
                InternalStore,
                packages=organization.packages,
                public_url=public_url,
                keys=organization.keys.public_keys,
                upstream=source,
                views=views,
                search_index=organization.search_index,
            ),
            "forwarder": (
                partial(NoUpstream, advisors=Unruled(intelligence) if intelligence else None)
                if upstream is None
                else partial(_forwarder(upstream), source=source, firewall=firewall, public_url=public_url, views=views)
            ),
        }
    )


def _forwarder(upstream: Gateway | Transport) -> Callable[..., Forwarder]:
    """Forwarder with what it has of the way to the upstream alone."""
    if isinstance(upstream, Gateway):
        return partial(Forwarder, transport=upstream.transport, changed=upstream.changed, shelf=upstream.shelf)
    return partial(Forwarder, transport=upstream)


def transport_to(
    upstream: str | Transport | None,
    *,
    token: str | None = None,
    allowed_origins: Iterable[str] = (),
    ca_file: str | None = None,
) -> Transport | None:
    """Returns the transport to *upstream*: a new one to a URL, with the options of `Urllib3Transport`.

    Raises:
        TypeError: *upstream* is neither; or *allowed_origins* is one text.
        ValueError: the URL or an option is of a kind that is not supported; or options are given for what is no URL.
        OSError: *ca_file* cannot be read.
    """
    if isinstance(allowed_origins, str):
        raise TypeError(f"allowed_origins is a list: write allowed_origins=[{allowed_origins!r}].")
    allowed_origins = tuple(allowed_origins)
    if isinstance(upstream, str):
        return Urllib3Transport(upstream, token=token, allowed_origins=allowed_origins, ca_file=ca_file)
    if token is not None or allowed_origins or ca_file is not None:
        raise ValueError("A token, allowed origins and certificate authorities belong to an upstream given by its URL.")
    _check_transport(upstream)
    return upstream


def _check_transport(upstream: object) -> None:
    if upstream is not None and not callable(getattr(upstream, "send", None)):
        raise TypeError("An upstream is a Transport, such as Urllib3Transport('https://upstream.example'), or None.")


def registry(
    storage: str | Organization,
    *,
    internal_scopes: Iterable[str] = (),
    upstream: str | Transport | None = None,
    upstream_token: str | None = None,
    allowed_origins: Iterable[str] = (),
    ca_file: str | None = None,
    tokens: Tokens | None = None,
    public_url: str | None = None,
    cache: str | None = None,
    intelligence: Intelligence | None = None,
    osv_api: str | None = None,
    freshness: float = 1.0,
    seal: Seal | None = None,
    catalog: Catalog = SHIPPED,
    views: Views | None = None,
    send_files: str | None = None,
    on: WSGIApplication | None = None,
) -> WSGIApplication:
    """Returns the whole registry of one organization as a WSGI application.

    *storage* is an fsspec URL or a folder (``"file:///srv/npm"``, ``"s3://bucket/npm"``), which is tried at once; or an
    organization, of which nothing is asked before the first request. *internal_scopes* are added to the organization's
    stored settings. *upstream* is a registry's URL; if it is None, there are internal packages only. It is asked with
    *upstream_token*, if there is one, as a Bearer token. *allowed_origins* are further places that its tarballs may lie
    at, such as ``https://files.example``. *ca_file* has certificate authorities in PEM that are trusted in addition to
    the system's. It is reached through the proxies that ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` name. What it
    says is kept at *cache*, an fsspec URL or a folder; if it is None, that is `default_cache` of *storage*, and nowhere
    for an organization that is given. *intelligence* is what the security rules know beyond packuments. *osv_api* is
    the URL of an OSV API that is asked, too, such as ``"https://osv.example"``; it is told the names of public
    packages. If *tokens* is None, they are those made by ``nproxy-mw token create``. *public_url* is where clients
    reach the registry; if it is None, URLs in answers follow the request. *freshness*, in seconds, *seal* and *catalog*
    are those of `Organizations.at`; an organization that is given brings its own. *views* keeps finished answers. If
    *send_files* is given, a server in front sends tarballs; it is the *how* of `SendFiles`. *on* is a host application
    that is handed the root path; if it is None, the root says where the registry is.

    Raises:
        ValueError: *storage*, *upstream* or an option of it is of a kind that is not supported; *send_files* is; or the
            storage lets writers overwrite each other.
        OSError: *ca_file* cannot be read.
        BadRequest: one of *internal_scopes* is not a scope.
        TypeError: *storage* or *upstream* is something else; *internal_scopes* or *allowed_origins* is one text; or
            *tokens* cannot be asked.
        StorageUnavailable: the storage cannot be read; it cannot be written to, and there is no organization yet or it
            lacks one of *internal_scopes*; or the organization's settings are gone.
    """
    if not isinstance(storage, str | Organization):
        raise TypeError(
            "registry takes the URL or the path of a storage as text, such as '/srv/npm', or an organization; one on a "
            "Storage of your own is made by nproxy_mw.orgs.organization.open_organization."
        )
    if isinstance(internal_scopes, str):
        raise TypeError(f"internal_scopes is a list: write internal_scopes=[{internal_scopes!r}].")
    transport = transport_to(upstream, token=upstream_token, allowed_origins=allowed_origins, ca_file=ca_file)
    organization = storage if isinstance(storage, Organization) else _made(storage, freshness, seal, catalog)
    scopes = list(internal_scopes)
    if scopes:
        organization.settings.ensure_scopes(scopes, actor=DEPLOYMENT)
    url = cache or (default_cache(storage) if isinstance(storage, str) else None)
    known = known_by(intelligence, osv_api)
    gateway = gateway_to(transport, url, intelligence=known, catalog=catalog) if transport else None
    own = layers(organization, gateway, intelligence=known, tokens=tokens, public_url=public_url, views=views)
    application = stack(Repeat, *own, on=on or partial(front_page, public_url=public_url))
    return application if send_files is None else sending_files(application, send_files, organization.storage, url)


def sending_files(app: WSGIApplication, how: str, storage: Storage, cache: str | None) -> SendFiles:
    """Returns *app* with its tarballs sent by a server in front, where *storage* and *cache* are local folders.

    Raises:
        ValueError: *how* is not one of `SendFiles`.
    """
    folders = (folder_of(storage), local_folder(cache) if cache else None)
    return SendFiles(app, how=how, folders=filter(None, folders))


def gateway_to(
    transport: Transport,
    cache: str | None,
    *,
    intelligence: Intelligence | None = None,
    catalog: Catalog = SHIPPED,
    waiting: int = WAITING,
    offline: bool = False,
    bound: int = DEFAULT_BOUND,
) -> Gateway:
    """Returns the way to the upstream behind *transport*, kept at *cache*; nothing is kept when that is None.

    For the rest see `nproxy_mw.firewall.gateway.open_gateway` and `nproxy_mw.upstream.cache.open_cache`.

    Raises:
        ValueError: *cache* is of a kind that is not supported.
    """
    opened = open_cache(cache, transport.upstream_url, bound=bound) if cache else None
    return open_gateway(
        transport, cache=opened, intelligence=intelligence, catalog=catalog, waiting=waiting, offline=offline
    )


def known_by(intelligence: Intelligence | None, osv_api: str | None) -> Intelligence | None:
    """Returns *intelligence* and the OSV API at the URL *osv_api* as one; None where there is neither.

    Raises:
        ValueError: *osv_api* is not a URL of http or https without a password.
    """
    if not osv_api:
        return intelligence
    # Imported here because most registries ask none.
    from nproxy_mw.intelligence.osv_api import host_osv_api

    return combined(intelligence, host_osv_api(osv_api))


def _made(url: str, freshness: float, seal: Seal | None, catalog: Catalog) -> Organization:
    organizations = Organizations.at(url, freshness=freshness, seal=seal, catalog=catalog)
    return organizations.ensure(DEFAULT_ORG, actor=DEPLOYMENT)


def front_page(
    environ: WSGIEnvironment, start_response: StartResponse, public_url: str | None = None
) -> Iterable[bytes]:
    """Answers the root path of a registry that stands alone: where it is."""
    return send(environ, start_response, json_response({"registry": f"{base_url(environ, public_url)}/"}))
