"""What to ask the upstream for: targets rebuilt from a parsed route, never taken from the incoming path."""

from __future__ import annotations

from urllib.parse import quote

from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route

_FILLED = {
    Kind.PACKUMENT: "/{wire}",
    Kind.PACKUMENT_REVISION: "/{wire}/-rev/{revision}",
    Kind.TARBALL: "/{name}/-/{filename}",
    Kind.TARBALL_REVISION: "/{name}/-/{filename}/-rev/{revision}",
    Kind.DIST_TAGS: "/-/package/{wire}/dist-tags",
    Kind.DIST_TAG: "/-/package/{wire}/dist-tags/{tag}",
    Kind.ATTESTATIONS: "/-/npm/v1/attestations/{name}@{version}",
    Kind.KEYS: "/-/npm/v1/keys",
    Kind.ADVISORIES: "/-/npm/v1/security/advisories/bulk",
    Kind.AUDIT: "/-/npm/v1/security/audits/quick",
}
_SAFE = "@!~*'()+,:=$&"  # what a segment may hold as it is, RFC 3986


def wire_target(route: Route) -> str:
    """The target that means *route*, with ``%2f`` in a scoped name where npm writes it so.

    Raises:
        KeyError: paths of that kind are never sent upstream.
    """
    parts = {key: quote(getattr(route, key), safe=_SAFE) for key in ("version", "filename", "tag", "revision")}
    wire = route.name.wire if route.name is not None else ""
    return _FILLED[route.kind].format(name=route.name, wire=wire, **parts)


def version_of_tarball(name: Name, filename: str) -> str:
    """The version in a tarball's file name; empty when the name is not of the form ``utils-1.0.0.tgz``."""
    begin, end = f"{name.base}-", ".tgz"
    if not filename.startswith(begin) or not filename.endswith(end):
        return ""
    return filename[len(begin) : -len(end)]
