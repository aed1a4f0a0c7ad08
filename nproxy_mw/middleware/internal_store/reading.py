"""How internal packages are read: packuments in both forms, one version, tarballs, dist-tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nproxy_mw.http import messages
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import File, Response, not_modified
from nproxy_mw.http.negotiation import accepts_gzip, etag_matches, is_for_write, wants_abbreviated
from nproxy_mw.http.sites import base_url
from nproxy_mw.http.views import View, Views, make_view
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.npm.routes import Route
from nproxy_mw.packages.store import PackageStore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Bytes under a version's name never change, and the number is never given again: a client may keep them.
# The policy keeps a browser from taking a tarball for a page.
_TARBALL_HEADERS: messages.Headers = (
    ("Content-Type", "application/octet-stream"),
    ("Cache-Control", "private, max-age=31536000, immutable"),
    ("Content-Security-Policy", "sandbox"),
)


class Reading:
    """Answers the reads of InternalStore."""

    def __init__(self, packages: PackageStore, views: Views, public_url: str | None) -> None:
        self.packages = packages
        self.views = views
        self.public_url = public_url

    def packument(self, request: Request) -> Response:
        """Returns the packument in the form and encoding that the client asks for."""
        environ, name = request.environ, request.route.package
        packument, revision = self.packages.read(name, for_write=is_for_write(environ))
        abbreviated, gzipped = wants_abbreviated(environ), accepts_gzip(environ)
        base = base_url(environ, self.public_url)

        def finish() -> View:
            whole = packuments.with_tarballs_at(packument, base)
            if abbreviated:
                return make_view(orjson.dumps(packuments.abbreviated(whole)), messages.ABBREVIATED, gzipped=gzipped)
            return make_view(orjson.dumps(whole), messages.JSON, gzipped=gzipped)

        key = (self.packages.org, name, revision, abbreviated, gzipped, base)
        return self.views.get(key, finish).response(environ)

    def manifest(self, request: Request) -> Response:
        """Returns one version, named by number or tag."""
        packument, version = self._packument(request.route), request.route.version
        packuments.resolve(packument, version)
        whole = packuments.with_tarballs_at(packument, base_url(request.environ, self.public_url))
        return _small(packuments.resolve(whole, version), request.environ)

    def dist_tags(self, request: Request) -> Response:
        """Returns every dist-tag and the version it points at."""
        return _small(self._packument(request.route)["dist-tags"], request.environ)

    def tarball(self, request: Request) -> Response:
        """Returns a version's bytes."""
        tarball = self.packages.open_tarball(request.route.package, request.route.filename)
        etag = f'"{tarball.integrity}"'
        if etag_matches(request.environ, etag):
            tarball.stream.close()
            return not_modified(etag)
        return Response(200, [*_TARBALL_HEADERS, ("ETag", etag)], File(tarball.stream, tarball.size))

    def _packument(self, route: Route) -> Json:
        return self.packages.read(route.package)[0]


def _small(document: Json, environ: WSGIEnvironment) -> Response:
    return make_view(orjson.dumps(document), messages.JSON, gzipped=accepts_gzip(environ)).response(environ)
