"""InternalStore: answers for internal packages from the organization's storage, and for the registry itself.

Reading needs the scope ``proxy``, changing needs ``publish``. What clients read to change a package is open to either:
the packument with ``?write=true``, and who may publish it. A token that is restricted to some packages opens no other
one, and finds no other one by searching. What is internal ends here: an absent package is a 404,
whatever the upstream has under that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from nproxy_mw.access import Grant, check_package, require
from nproxy_mw.errors import NotFound
from nproxy_mw.http.context import Destination
from nproxy_mw.http.handlers import Handler, Request, VerbTable, routed
from nproxy_mw.http.messages import is_read, send
from nproxy_mw.http.negotiation import is_for_write
from nproxy_mw.http.renderer import Renderer
from nproxy_mw.http.views import Views
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.internal_store.aspects import KINDS, Aspects, refuse_what_is_not_kept
from nproxy_mw.middleware.internal_store.keys import Keys
from nproxy_mw.middleware.internal_store.meta import Meta
from nproxy_mw.middleware.internal_store.writing import Writing
from nproxy_mw.npm.routes import Kind
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.packages.search.index import SearchIndex
from nproxy_mw.packages.source import StoredPackages
from nproxy_mw.packages.store import PackageStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


_PUBLISH_ALONE = frozenset({Grant.PUBLISH})


class InternalStore:
    """Serves *packages*, and ping, whoami, search and signing keys.

    If *public_url* is None, tarball URLs are made from what the server says of each request. *keys* returns the public
    keys that versions are signed with; those of *upstream*, if there is one, are listed with them. If *views* is None,
    finished answers are kept in 64 MiB of this layer's own. If *search_index* is None, this layer keeps one of its own
    in memory.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        packages: PackageStore,
        public_url: str | None = None,
        keys: Callable[[], Sequence[Json]] = tuple,
        upstream: PackageSource | None = None,
        views: Views | None = None,
        search_index: SearchIndex | None = None,
    ) -> None:
        self.app = app
        reading = Renderer(StoredPackages(packages), views or Views(), owner=packages.org, public_url=public_url)
        writing = Writing(packages)
        meta = Meta(search_index or SearchIndex(packages.storage, packages.org, clock=packages.trail.clock))
        self._meta: Mapping[Kind, VerbTable[Handler]] = {
            Kind.PING: VerbTable({"GET": meta.ping}),
            Kind.WHOAMI: VerbTable({"GET": meta.whoami}),
            Kind.SEARCH: VerbTable({"GET": meta.search}),
            Kind.KEYS: VerbTable({"GET": Keys(keys, upstream).keys}),
        }
        self._packages: Mapping[Kind, VerbTable[Handler]] = {
            Kind.PACKUMENT: VerbTable({"GET": reading.packument, "PUT": writing.put_packument}),
            Kind.MANIFEST: VerbTable({"GET": reading.manifest}),
            Kind.TARBALL: VerbTable({"GET": reading.tarball}),
            Kind.DIST_TAGS: VerbTable({"GET": reading.dist_tags}),
            Kind.DIST_TAG: VerbTable({"PUT": writing.put_tag, "POST": writing.put_tag, "DELETE": writing.delete_tag}),
            Kind.PACKUMENT_REVISION: VerbTable({"PUT": writing.put_revision, "DELETE": writing.delete_package}),
            Kind.TARBALL_REVISION: VerbTable({"DELETE": writing.delete_tarball}),
            Kind.PACKAGE_ASPECT: VerbTable({"GET": Aspects(packages).get}),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = routed(environ, by="InternalStore")
        is_internal = request.destination is Destination.INTERNAL
        if is_internal and request.route.kind is not Kind.OIDC:
            _authorize(request)
        if request.route.kind in KINDS:
            refuse_what_is_not_kept(request)
        if is_internal:
            table = self._packages.get(request.route.kind)
        elif request.route.kind in self._meta:
            table = self._meta[request.route.kind]
        else:
            return self.app(environ, start_response)
        if table is None:
            raise NotFound("This registry keeps nothing under that path.", code="route-not-found")
        return send(environ, start_response, table.find(environ)(request))


def _authorize(request: Request) -> None:
    principal = request.principal
    if not is_read(request.environ):
        require(principal, Grant.PUBLISH)
    elif principal.grants != _PUBLISH_ALONE or not _is_part_of_a_change(request):
        require(principal, Grant.PROXY)
    if principal.restrictions.packages:
        check_package(principal, str(request.route.package))


def _is_part_of_a_change(request: Request) -> bool:
    kind = request.route.kind
    return kind is Kind.PACKAGE_ASPECT or (kind is Kind.PACKUMENT and is_for_write(request.environ))
