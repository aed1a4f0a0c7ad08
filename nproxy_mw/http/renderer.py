"""The one renderer: answers the reads of any source of packages, for InternalStore and Forwarder alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nproxy_mw.errors import NotFound
from nproxy_mw.grounds import Witness, vouch
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import ABBREVIATED, JSON, Response
from nproxy_mw.http.negotiation import form_wanted, is_for_write
from nproxy_mw.http.sites import base_url
from nproxy_mw.http.tarballs import tarball_response
from nproxy_mw.http.views import Read, Shelf, Views, small_response
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.forms import NO_SUCH_VERSION, Form, written_members, written_version
from nproxy_mw.npm.quick_forms import written_document
from nproxy_mw.npm.source import PackageSource

_CONTENT_TYPES = {Form.FULL: JSON, Form.SLIM: JSON, Form.ABBREVIATED: ABBREVIATED}


def _as_it_is(body: bytes, base: str) -> bytes:
    return body


class Renderer:
    """Answers packuments, versions, dist-tags, tarballs and attestations of *source*.

    *owner* names whose packages these are: *views* may be shared. *shelf* shares large ones with other processes. If
    *public_url* is None, URLs in answers follow the request. *finish* has the last word on a body that is made: it is
    called with the body and the base URL.
    """

    def __init__(
        self,
        source: PackageSource,
        views: Views,
        *,
        owner: str,
        shelf: Shelf | None = None,
        public_url: str | None = None,
        finish: Callable[[bytes, str], bytes] = _as_it_is,
    ) -> None:
        self.source = source
        self.views = views
        self.owner = owner
        self.shelf = shelf
        self.public_url = public_url
        self.finish = finish

    def packument(self, request: Request) -> Response:
        """Returns the packument in the form and encoding that the client asks for."""
        vouch(Witness.RENDERER)
        environ, route = request.environ, request.route
        form = form_wanted(environ, slim=self.views.slim and request.settings.slim_packuments)
        for_write = bool(environ.get("QUERY_STRING")) and is_for_write(environ)
        return self._answer(
            request,
            form.value,
            partial(self.source.packument, route.name or route.package, for_write=for_write),
            lambda document, base: written_document(document, form, base),
            _CONTENT_TYPES[form],
        )

    def manifest(self, request: Request) -> Response:
        """Returns one version, named by number or tag. One that is not there is looked for past what is kept."""
        vouch(Witness.RENDERER)
        past = is_for_write(request.environ)
        try:
            return self._manifest(request, past=past)
        except NotFound as error:
            if past or error.code != NO_SUCH_VERSION:
                raise
            return self._manifest(request, past=True)

    def _manifest(self, request: Request, *, past: bool) -> Response:
        package, version = request.route.package, request.route.version
        return self._answer(
            request,
            "version",
            partial(self.source.packument, package, for_write=past),
            lambda document, base: written_version(document.packument, version, base),
        )

    def dist_tags(self, request: Request) -> Response:
        """Returns every dist-tag and the version it points at."""
        return small_response(request.environ, written_members(self.source.dist_tags(request.route.package)))

    def tarball(self, request: Request) -> Response:
        """Returns a version's bytes, or the part of them that is asked for."""
        vouch(Witness.RENDERER)
        route = request.route
        return tarball_response(request.environ, partial(self.source.tarball, route.package, route.filename))

    def attestations(self, request: Request) -> Response:
        """Returns what proves where a version was built."""
        return self._answer(
            request,
            "attestations",
            partial(self.source.document, request.route),
            lambda document, _: written_members(document.members),
        )

    def _answer(
        self,
        request: Request,
        form: str,
        read: Read,
        render: Callable[[Document, str], bytes],
        content_type: str = JSON,
    ) -> Response:
        base = base_url(request.environ, self.public_url)
        return self.views.respond(
            request.environ,
            # The path names the package, and the version where there is one.
            (self.owner, request.environ["PATH_INFO"], form, base),
            read,
            lambda document: self.finish(render(document, base), base),
            content_type,
            self.shelf,
        )
