"""How internal packages are changed: publish, deprecate, tag, unpublish.

npm sends several of these as one kind of document under one path. What is told apart here is told by the document: with
``_attachments`` it is a publish; without, its versions are compared with those that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest, MethodNotAllowed
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import PUBLISH_LIMIT, read_body
from nproxy_mw.http.context import PRINCIPAL, REQUEST_ID
from nproxy_mw.json_values import Json, parse_object, parse_value
from nproxy_mw.npm.publication import is_publish, parse_publication
from nproxy_mw.npm.revisions import missing_versions, parse_revision
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.versions import check_tag
from nproxy_mw.packages.changes import stale
from nproxy_mw.packages.store import Packages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TAG_LIMIT = 4096  # bytes of a dist-tag request's body: one version as a JSON string


class Writing:
    """Answers the changes of InternalStore. *version_unpublish* tells whether single versions can be removed."""

    def __init__(self, packages: Packages, version_unpublish: Callable[[], bool]) -> None:
        self.packages = packages
        self.version_unpublish = version_unpublish

    def put_packument(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """A publish, or the whole packument with other deprecation messages."""
        document = parse_object(read_body(environ, PUBLISH_LIMIT))
        if not is_publish(document):
            return self._put_changed(environ, start_response, route, document)
        publication = parse_publication(route.package, document)
        del document  # the tarball in base64: up to 50 MiB that nobody needs any more
        self.packages.publish(publication, _actor(environ))
        return _done(environ, start_response, HTTPStatus.CREATED)

    def put_revision(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """The whole packument with fewer versions (npm unpublish of one), or with other deprecation messages."""
        document = parse_object(read_body(environ, PUBLISH_LIMIT))
        return self._put_changed(environ, start_response, route, document)

    def _put_changed(
        self, environ: WSGIEnvironment, start_response: StartResponse, route: Route, document: Json
    ) -> Iterable[bytes]:
        name, revision = route.package, route.revision or str(document.get("_rev", ""))
        packument = self.packages.read(name, for_write=True)[0]
        # Under -rev/, a document with fewer versions is an unpublish, stale or not: that it is not offered comes first.
        # Elsewhere what a stale one lacks may be what others published meanwhile.
        missing = missing_versions(packument, document)
        if route.revision and missing:
            self._check_version_unpublish()
        if revision != packument["_rev"]:
            stale()
        asked = parse_revision(packument, document)
        if asked.unpublished:
            self._check_version_unpublish()
            self.packages.unpublish_versions(name, asked.unpublished, revision, _actor(environ))
        elif asked.deprecated:
            self.packages.deprecate(name, asked.deprecated, revision, _actor(environ))
        return _done(environ, start_response)

    def delete_package(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """Unpublishes the whole package (``npm unpublish --force``)."""
        self.packages.unpublish(route.package, route.revision, _actor(environ))
        return _done(environ, start_response)

    def delete_tarball(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """The last step of unpublishing one version: its bytes are gone already, there is nothing left to do."""
        self._check_version_unpublish()
        name = route.package
        version = route.filename.removeprefix(f"{name.base}-").removesuffix(".tgz")
        if version in self.packages.read(name, for_write=True)[0]["versions"]:
            raise BadRequest("That version is still in the packument: remove it there first.")
        return _done(environ, start_response)

    def put_tag(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """Points a dist-tag at the version in the body."""
        version = parse_value(read_body(environ, TAG_LIMIT))
        if not isinstance(version, str):
            raise BadRequest('The body of a dist-tag request is a version as a JSON string, like "1.0.0".')
        self.packages.tag(route.package, check_tag(route.tag), version, _actor(environ))
        return _done(environ, start_response, HTTPStatus.CREATED)

    def delete_tag(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """Removes a dist-tag."""
        self.packages.untag(route.package, route.tag, _actor(environ))
        return _done(environ, start_response)

    def _check_version_unpublish(self) -> None:
        # Never 404: npm takes that for success while unpublishing.
        if not self.version_unpublish():
            raise MethodNotAllowed(
                "Single versions cannot be unpublished here: deprecate the version, or unpublish the whole package "
                "with npm unpublish --force.",
                allow=("GET", "HEAD"),
                code="version-unpublish-not-allowed",
            )


def _actor(environ: WSGIEnvironment) -> Actor:
    principal = PRINCIPAL.require(environ, by="InternalStore")
    agent: str = environ.get("HTTP_USER_AGENT", "")
    return Actor(
        token_hash=principal.token_hash,
        name=principal.name,
        request_id=REQUEST_ID.require(environ, by="InternalStore"),
        ip=environ.get("REMOTE_ADDR", ""),
        user_agent="".join(character for character in agent[:256] if character.isprintable()),
    )


def _done(
    environ: WSGIEnvironment, start_response: StartResponse, status: HTTPStatus = HTTPStatus.OK
) -> Iterable[bytes]:
    answer: dict[str, Any] = {"ok": True}
    return messages.send_json(environ, start_response, answer, status=status)
