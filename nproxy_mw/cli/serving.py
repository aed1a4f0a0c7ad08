"""What is served: the registry that the options of ``serve`` describe, tried before the first worker starts."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from nproxy_mw.accounts.signed_in import SignedIn
from nproxy_mw.audit.dirty import settle_all
from nproxy_mw.cli.addresses import ChosenUpstream
from nproxy_mw.cli.command import Parsed
from nproxy_mw.cli.late_dashboard import check_installed, late_dashboard
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import ACTOR, no_such_organization, open_organizations
from nproxy_mw.cli.upstreams import cache_of, gateway_of, intelligence_of, transport_to
from nproxy_mw.firewall.gateway import Gateway
from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.tenants import Resolve
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.stack import sending_files
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.urls import is_local
from nproxy_mw.upstream.transport import Transport

try:
    from nproxy_mw.hosting.administration import accounts_at

    check_installed()
except ImportError as error:
    raise UsageError(str(error)) from error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Serving(Struct, frozen=True):
    """A registry to be served, as *options* say. Opens nothing by itself: each worker builds its own."""

    options: Parsed
    resolve: Resolve
    upstream: ChosenUpstream

    @property
    def answers_at_once(self) -> bool:
        """Whether an answer from memory waits for nothing but a file: a cache on the network is asked for news."""
        cache = cache_of(self.options)
        return cache is None or is_local(cache)

    def organizations(self, *, freshness: float = 0) -> Organizations:
        """Returns the organizations on the storage; *freshness* in seconds."""
        options = self.options
        return open_organizations(
            options.storage, freshness=freshness, seal=options.seal_key, search_folder=options.search_folder
        )

    def transport(self) -> Transport | None:
        """Returns the way to the upstream; None when there is none.

        Raises:
            UsageError: the URL has a password and there is a token, too; or the file of certificate authorities cannot
                be read.
        """
        if self.upstream.url is None:
            return None
        return transport_to(self.options, self.upstream.url)

    def gateway(self, catalog: Catalog) -> Gateway | None:
        """Returns the way to the upstream with what is kept of it, and what is known; None when there is none.

        Three quarters of a worker's threads may wait for the upstream at a time: one npm alone asks on 15 connections.
        """
        if self.upstream.url is None:
            return None
        return gateway_of(self.options, self.upstream.url, catalog, waiting=max(self.options.threads * 3 // 4, 1))

    def application(self) -> WSGIApplication:
        """Returns the whole server, with administrators and ``npm login``, as one WSGI application."""
        options = self.options
        organizations = self.organizations(freshness=options.freshness)
        administrators, sessions = accounts_at(organizations.storage)
        platform = Platform(
            organizations,
            resolve=self.resolve,
            upstream=self.gateway(organizations.catalog),
            intelligence=None if self.upstream.url else intelligence_of(options),
            public_url=options.public_url,
            users=SignedIn(administrators, sessions),
            administrators=administrators,
            dashboard=partial(late_dashboard, administrators=administrators, sessions=sessions),
        )
        return self._behind_proxies(platform, organizations.storage)

    def _behind_proxies(self, app: WSGIApplication, storage: Storage) -> WSGIApplication:
        options = self.options
        if options.send_files is not None:
            app = sending_files(app, options.send_files, storage, cache_of(options))
        hops = options.trusted_proxies
        if not hops:
            return app
        from werkzeug.middleware.proxy_fix import ProxyFix

        host, prefix = options.trust_forwarded_host, options.trust_forwarded_prefix
        return ProxyFix(app, x_for=hops, x_proto=hops, x_host=hops * host, x_prefix=hops * prefix)


def prepare(serving: Serving) -> None:
    """Tries the storage before anything is served, and creates the fixed organization on an empty store.

    Raises:
        UsageError: the storage is not suitable, or the options contradict what is stored or each other.
        StorageUnavailable: the storage cannot be read; or nothing is stored there yet, and it cannot be written to.
    """
    options = serving.options
    if options.storage.startswith("memory:"):
        raise UsageError(
            "A memory:// storage lives and ends with one process, so no other could make a token for it: name a "
            "folder, or an s3:// bucket."
        )
    if options.scope and serving.resolve.fixed_org is None:
        raise UsageError(
            "--scope is for a server of one organization: with many, each has its own, set with "
            "'nproxy-mw settings set --org ID internalScopes=@scope'."
        )
    if options.trust_forwarded_host + options.trust_forwarded_prefix and not options.trusted_proxies:
        raise UsageError("Give --trusted-proxies, too: how many proxies there are whose headers are to be believed.")
    _import_before_the_fork(options)
    serving.transport()
    serving.organizations()  # is it a storage at all?
    if is_local(options.storage):
        _try_storage(serving)
    else:
        _try_apart(serving)


def _import_before_the_fork(options: Parsed) -> None:
    """Imports what only these options need, so that the workers share it."""
    if options.trusted_proxies:
        import_module("werkzeug.middleware.proxy_fix")
    if options.osv_api:
        import_module("nproxy_mw.intelligence.osv_api")


def _try_storage(serving: Serving) -> None:
    organizations = serving.organizations()
    try:
        org = serving.resolve.fixed_org
        if org is None:
            organizations.probe()
            return
        if not organizations.has(org) and organizations.directory.list():
            raise UsageError(no_such_organization(serving.options.storage, organizations, org))
        organization = organizations.ensure(org, actor=ACTOR)
    except ValueError as error:
        raise UsageError(str(error)) from error
    organization.keys.check()
    organization.settings.ensure_scopes(serving.options.scope, actor=ACTOR)
    settle_all()


def _try_apart(serving: Serving) -> None:
    """Tries a storage on the network where its connections end: workers that are forked later could not use them."""
    # Imported here because the other storages, which most servers have, need none of it.
    from nproxy_mw.cli.own_process import try_apart

    try_apart(partial(_try_storage, serving), serving.options.storage)
