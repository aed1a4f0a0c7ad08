"""InternalStore: answers for internal packages from the organization's storage, and for the registry itself.

Reading needs the scope ``proxy``, changing needs ``publish``; a read that npm makes as part of a change
(``?write=true``) is open to either. What is internal ends here: an absent package is a 404, whatever the upstream has
under that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from nproxy_mw.access import Grant, Principal, require
from nproxy_mw.errors import MethodNotAllowed, NotFound
from nproxy_mw.http import messages
from nproxy_mw.http.context import DESTINATION, PRINCIPAL, ROUTE, Destination
from nproxy_mw.http.views import Views
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.internal_store.keys import Keys
from nproxy_mw.middleware.internal_store.meta import Meta
from nproxy_mw.middleware.internal_store.reading import Reading
from nproxy_mw.middleware.internal_store.writing import Writing
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.packages.store import Packages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Handler: TypeAlias = "Callable[[WSGIEnvironment, StartResponse, Route], Iterable[bytes]]"


class UnpublishSettings(Protocol):
    """What this layer needs to know of an organization's settings."""

    @property
    def version_unpublish(self) -> bool:
        """Whether single versions can be unpublished."""
        ...


class UnpublishSettingsSource(Protocol):
    """Where the settings are asked for, at each request that needs them."""

    def get(self) -> UnpublishSettings:
        """The settings as they are now."""
        ...


class InternalStore:
    """Serves *packages*, and ping, whoami, search and signing keys.

    If *public_url* is None, tarball URLs are made from what the server says of each request. If *settings* is None,
    single versions cannot be unpublished. *keys* answers the public keys that versions are signed with; the upstream's
    are listed beside them. If *views* is None, finished answers are kept in 64 MiB of this layer's own.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        packages: Packages,
        public_url: str | None = None,
        settings: UnpublishSettingsSource | None = None,
        keys: Callable[[], Sequence[Json]] = tuple,
        views: Views | None = None,
    ) -> None:
        self.app = app
        reading = Reading(packages, views or Views(), public_url)
        writing = Writing(packages, lambda: settings is not None and settings.get().version_unpublish)
        meta = Meta(packages)
        self._meta: Mapping[Kind, Mapping[str, Handler]] = {
            Kind.PING: {"GET": meta.ping},
            Kind.WHOAMI: {"GET": meta.whoami},
            Kind.SEARCH: {"GET": meta.search},
            Kind.KEYS: {"GET": Keys(keys, app).keys},
        }
        self._packages: Mapping[Kind, Mapping[str, Handler]] = {
            Kind.PACKUMENT: {"GET": reading.packument, "PUT": writing.put_packument},
            Kind.MANIFEST: {"GET": reading.manifest},
            Kind.TARBALL: {"GET": reading.tarball},
            Kind.DIST_TAGS: {"GET": reading.dist_tags},
            Kind.DIST_TAG: {"PUT": writing.put_tag, "POST": writing.put_tag, "DELETE": writing.delete_tag},
            Kind.PACKUMENT_REVISION: {"PUT": writing.put_revision, "DELETE": writing.delete_package},
            Kind.TARBALL_REVISION: {"DELETE": writing.delete_tarball},
            Kind.PACKAGE_ASPECT: {"GET": reading.aspect},
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        destination = DESTINATION.require(environ, by="InternalStore")
        route = ROUTE.require(environ, by="InternalStore")
        principal = PRINCIPAL.require(environ, by="InternalStore")
        if destination is Destination.INTERNAL:
            _authorise(principal, environ)
            verbs = self._packages.get(route.kind)
        elif route.kind in self._meta:
            verbs = self._meta[route.kind]
        else:
            return self.app(environ, start_response)
        return _answer_of(verbs, environ)(environ, start_response, route)


def _authorise(principal: Principal, environ: WSGIEnvironment) -> None:
    if messages.method(environ) != "GET":
        require(principal, Grant.PUBLISH)
    elif messages.is_for_write(environ) and Grant.PUBLISH in principal.grants:
        return
    else:
        require(principal, Grant.PROXY)


def _answer_of(verbs: Mapping[str, Handler] | None, environ: WSGIEnvironment) -> Handler:
    if verbs is None:
        raise NotFound("This registry keeps nothing under that path.", code="route-not-found")
    answer = verbs.get(messages.method(environ))
    if answer is None:
        allow = [*verbs, "HEAD"] if "GET" in verbs else [*verbs]
        raise MethodNotAllowed("That method is not offered under this path.", allow=tuple(allow))
    return answer
