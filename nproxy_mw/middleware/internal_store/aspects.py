"""What publishing tools ask about a package beyond its versions, and the refusal of what no package has here."""

from __future__ import annotations

from nproxy_mw.access import Grant
from nproxy_mw.errors import MethodNotAllowed, NotFound
from nproxy_mw.http.context import Destination
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import PRIVATE, Response, is_read, json_response
from nproxy_mw.npm.features import feature_of
from nproxy_mw.npm.routes import Kind
from nproxy_mw.packages.store import PackageStore

KINDS = frozenset({Kind.PACKAGE_ASPECT, Kind.STAR, Kind.STAGE, Kind.OIDC, Kind.PROFILE, Kind.USER, Kind.UNKNOWN})
"""Kinds of routes that may be about something that is not kept here."""

_ANSWERED = frozenset({"access", "collaborators", "visibility"})
_READ = ("GET", "HEAD")


class Aspects:
    """Answers who may publish an internal package, and who may see it."""

    def __init__(self, packages: PackageStore) -> None:
        self.packages = packages

    def get(self, request: Request) -> Response:
        """Returns what is asked of a package that exists."""
        if request.route.rest not in _ANSWERED:
            raise NotFound("This registry keeps nothing under that path.", code="route-not-found")
        packument = self.packages.outline(request.route.package)
        if request.route.rest == "collaborators":
            names = {maintainer["name"]: "write" for maintainer in packument.get("maintainers", [])}
            # Publishing tools look for the name that whoami tells them, and give up when it is not there.
            own = {request.principal.name: "write" if Grant.PUBLISH in request.principal.grants else "read"}
            return json_response(names | own, headers=PRIVATE)
        # npm reads 'public'; pnpm reads 'access', and takes a package without it for public.
        return json_response({"public": False, "access": "restricted"}, headers=PRIVATE)


def refuse_what_is_not_kept(request: Request) -> None:
    """Passes unless a request is about owners, teams, stars and the like, of whatever package.

    Raises:
        MethodNotAllowed: it is; the sentence names the feature and what to do instead.
        NotFound: it would exchange an OIDC token. npm then goes on with the token it has.
    """
    route = request.route
    if route.kind is Kind.OIDC:
        raise NotFound(
            "OIDC tokens are not exchanged here: publish with an API token that has the scope 'publish'.",
            code="no-oidc",
        )
    feature = feature_of(route)
    if feature is None or _is_answered(request):
        return
    is_upstream = request.destination is Destination.UPSTREAM
    is_readable = request.destination is Destination.INTERNAL and route.rest in _ANSWERED
    raise MethodNotAllowed(
        feature.refusal(is_upstream=is_upstream), allow=_READ if is_readable else (), code="not-kept"
    )


def _is_answered(request: Request) -> bool:
    """Returns whether the request is for a layer to answer: here, or below."""
    if not is_read(request.environ):
        return request.route.kind is Kind.USER  # a login
    if request.destination is Destination.INTERNAL:
        return request.route.rest in _ANSWERED
    # npm asks for it before it publishes with provenance, and goes on after a 404 alone.
    return request.route.rest == "visibility"
