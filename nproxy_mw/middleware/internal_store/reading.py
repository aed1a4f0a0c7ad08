"""How internal packages are read: packuments in both forms, one version, tarballs, dist-tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import orjson

from nproxy_mw.errors import NotFound
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import CHUNK
from nproxy_mw.http.views import View, Views, make_view
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.npm.routes import Route
from nproxy_mw.packages.store import Packages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Bytes under a version's name never change, and the number is never given again: a client may keep them.
# The rest keeps a browser from taking a tarball for a page.
_TARBALL_HEADERS: messages.Headers = (
    ("Content-Type", "application/octet-stream"),
    ("Cache-Control", "private, max-age=31536000, immutable"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox"),
)


class Reading:
    """Answers the reads of InternalStore."""

    def __init__(self, packages: Packages, views: Views, public_url: str | None) -> None:
        self.packages = packages
        self.views = views
        self.public_url = public_url

    def packument(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """The packument in the form and encoding that the client asks for."""
        name = route.package
        packument, revision = self.packages.read(name, for_write=messages.is_for_write(environ))
        abbreviated, gzipped = messages.wants_abbreviated(environ), messages.accepts_gzip(environ)
        base = messages.base_url(environ, self.public_url)

        def finish() -> View:
            whole = packuments.with_tarballs_at(packument, base)
            if abbreviated:
                return make_view(orjson.dumps(packuments.abbreviated(whole)), messages.ABBREVIATED, gzipped=gzipped)
            return make_view(orjson.dumps(whole), messages.JSON, gzipped=gzipped)

        key = (self.packages.org, name, revision, abbreviated, gzipped, base)
        return self.views.get(key, finish).answer(environ, start_response)

    def manifest(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """One version, named by number or tag."""
        packument = self._packument(route)
        packuments.resolve(packument, route.version)
        whole = packuments.with_tarballs_at(packument, messages.base_url(environ, self.public_url))
        return _small(packuments.resolve(whole, route.version), environ, start_response)

    def dist_tags(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """Every dist-tag and the version it points at."""
        return _small(self._packument(route)["dist-tags"], environ, start_response)

    def tarball(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """A version's bytes."""
        tarball = self.packages.open_tarball(route.package, route.filename)
        etag = f'"{tarball.integrity}"'
        if messages.etag_matches(environ, etag):
            tarball.stream.close()
            return messages.send_not_modified(start_response, etag, ())
        start_response("200 OK", [*_TARBALL_HEADERS, ("ETag", etag), ("Content-Length", str(tarball.size))])
        if messages.is_head(environ):
            tarball.stream.close()
            return []
        wrapper = environ.get("wsgi.file_wrapper", FileChunks)
        return wrapper(tarball.stream, CHUNK)  # type: ignore[no-any-return]

    def aspect(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """What publishing tools ask about a package beside its versions."""
        packument = self._packument(route)
        if route.rest in ("visibility", "access"):
            return _small({"public": False}, environ, start_response)
        if route.rest == "collaborators":
            names = {maintainer["name"]: "write" for maintainer in packument.get("maintainers", [])}
            return _small(names, environ, start_response)
        raise NotFound("This registry keeps nothing under that path.", code="route-not-found")

    def _packument(self, route: Route) -> Json:
        return self.packages.read(route.package)[0]


class FileChunks:
    """An open file as a WSGI body, for servers that bring no ``wsgi.file_wrapper``."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream = stream
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.stream.read(self.size):
            yield chunk

    def close(self) -> None:
        """Called by the server when the client has everything, or went away."""
        self.stream.close()


def _small(document: Json, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    gzipped = messages.accepts_gzip(environ)
    return make_view(orjson.dumps(document), messages.JSON, gzipped=gzipped).answer(environ, start_response)
