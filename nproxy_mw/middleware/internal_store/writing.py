"""How internal packages are changed: publish, deprecate, tag, unpublish.

npm sends several of these as one kind of document under one path. The document tells them apart: with ``_attachments``
it is a publish; without, its versions are compared with those that are stored.
"""

from __future__ import annotations

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest, MethodNotAllowed
from nproxy_mw.http.context import actor_of
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.json_bodies import PUBLICATION, TAG, read_json, read_object
from nproxy_mw.http.messages import Response, json_response
from nproxy_mw.json_values import Json
from nproxy_mw.npm.publication import is_publish, parse_publication
from nproxy_mw.npm.revisions import missing_versions, parse_revision
from nproxy_mw.npm.versions import check_tag
from nproxy_mw.packages.changes import stale
from nproxy_mw.packages.store import PackageStore


class Writing:
    """Answers the changes of InternalStore."""

    def __init__(self, packages: PackageStore) -> None:
        self.packages = packages

    def put_packument(self, request: Request) -> Response:
        """Publishes a version, or takes over the deprecation messages of a whole packument."""
        document = read_object(request.environ, PUBLICATION)
        if not is_publish(document):
            return self._put_changed(request, document)
        publication = parse_publication(request.route.package, document)
        del document  # with the tarball in base64, up to 50 MiB
        self.packages.publish(publication, _actor(request))
        return _done(201)

    def put_revision(self, request: Request) -> Response:
        """Takes over a whole packument with fewer versions (npm unpublish of one), or other deprecation messages."""
        return self._put_changed(request, read_object(request.environ, PUBLICATION))

    def _put_changed(self, request: Request, document: Json) -> Response:
        name, revision = request.route.package, request.route.revision or str(document.get("_rev", ""))
        packument = self.packages.read(name, for_write=True)[0]
        # Under -rev/, a document with fewer versions is an unpublish, stale or not, and is refused as such first.
        # Elsewhere, others may meanwhile have published the versions that a stale document lacks.
        missing = missing_versions(packument, document)
        if request.route.revision and missing:
            _check_version_unpublish(request)
        if revision != packument["_rev"]:
            stale()
        change = parse_revision(packument, document)
        if change.unpublished:
            _check_version_unpublish(request)
            self.packages.unpublish_versions(name, change.unpublished, revision, _actor(request))
        elif change.deprecated:
            self.packages.deprecate(name, change.deprecated, revision, _actor(request))
        return _done()

    def delete_package(self, request: Request) -> Response:
        """Unpublishes the whole package (``npm unpublish --force``)."""
        self.packages.unpublish(request.route.package, request.route.revision, _actor(request))
        return _done()

    def delete_tarball(self, request: Request) -> Response:
        """Answers the last step of unpublishing one version: its bytes are gone already."""
        _check_version_unpublish(request)
        name = request.route.package
        version = name.version_in(request.route.filename)
        if version in self.packages.read(name, for_write=True)[0]["versions"]:
            raise BadRequest("That version is still in the packument: remove it there first.")
        return _done()

    def put_tag(self, request: Request) -> Response:
        """Points a dist-tag at the version in the body."""
        version = read_json(request.environ, TAG)
        if not isinstance(version, str):
            raise BadRequest('The body of a dist-tag request is a version as a JSON string, like "1.0.0".')
        self.packages.tag(request.route.package, check_tag(request.route.tag), version, _actor(request))
        return _done(201)

    def delete_tag(self, request: Request) -> Response:
        """Removes a dist-tag."""
        self.packages.untag(request.route.package, request.route.tag, _actor(request))
        return _done()


def _check_version_unpublish(request: Request) -> None:
    # Never 404: npm takes that for success while unpublishing.
    if not request.settings.version_unpublish:
        raise MethodNotAllowed(
            "Single versions cannot be unpublished here: deprecate the version, or unpublish the whole package "
            "with npm unpublish --force.",
            allow=("GET", "HEAD"),
            code="version-unpublish-not-allowed",
        )


def _actor(request: Request) -> Actor:
    return actor_of(request.context, request.environ)


def _done(status: int = 200) -> Response:
    return json_response({"ok": True}, status)
