"""What a client wants to change when it puts a package's whole packument back without a tarball.

npm sends this document for several purposes, under paths that do not say which: fewer versions are an unpublish of
those that are missing, other ``deprecated`` messages a deprecation. It can change nothing else, and a document that
tries to is refused, because "ok" would mean that it was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nproxy_mw.errors import BadRequest, MethodNotAllowed
from nproxy_mw.json_values import Json

MAX_MESSAGE = 16 * 1024
"""Characters of a deprecation message. Every reader of the package is sent it."""


class PackumentRevision(Struct, frozen=True):
    """The changes that a packument asks for; none when it is unchanged."""

    unpublished: frozenset[str]
    """The versions that are missing."""
    deprecated: Mapping[str, str]
    """The message of each version whose message differs; an empty one removes it."""


def parse_revision(stored: Json, document: Json) -> PackumentRevision:
    """Returns how *document* differs from the packument it was made from.

    Raises:
        BadRequest: it is of another package, is no packument, or changes what cannot be changed.
        MethodNotAllowed: it is about owners or stars, which are not kept.
    """
    if {document.get("_id", stored["name"]), document.get("name", stored["name"])} != {stored["name"]}:
        raise _refusal("names another package than the URL")
    versions = _versions(document)
    if document.get("users"):
        raise _not_kept()
    if versions.keys() - stored["versions"].keys():
        raise _refusal("names a version that is not published, and carries no tarball of it")
    for version, manifest in versions.items():
        if _unchangeable(manifest) != _unchangeable(stored["versions"][version]):
            raise _refusal(f"changes the manifest of {version}: what is published can only be deprecated")
    unpublished = missing_versions(stored, document)
    if not unpublished and document.get("dist-tags", stored["dist-tags"]) != stored["dist-tags"]:
        raise _refusal("changes dist-tags: use npm dist-tag for that")
    return PackumentRevision(unpublished, _messages(stored["versions"], versions))


def missing_versions(stored: Json, document: Json) -> frozenset[str]:
    """Returns the versions that *document* lacks. Raises as `parse_revision` when it is no packument."""
    return frozenset(stored["versions"].keys() - _versions(document).keys())


def _versions(document: Json) -> Mapping[str, Json]:
    versions = document.get("versions")
    if versions is None:
        raise _not_kept()
    if not isinstance(versions, Mapping) or not all(isinstance(it, Mapping) for it in versions.values()):
        raise _refusal("must have an object of manifests as its versions")
    if not versions:
        raise _refusal("has no versions left: unpublish the whole package with npm unpublish --force")
    return versions


def _unchangeable(manifest: Json) -> dict[str, Any]:
    """A manifest without its message, and without the tarball's URL, which is made for each answer anew."""
    dist = manifest.get("dist")
    kept = {key: value for key, value in dist.items() if key != "tarball"} if isinstance(dist, Mapping) else dist
    return {**{key: value for key, value in manifest.items() if key != "deprecated"}, "dist": kept}


def _messages(stored: Mapping[str, Json], sent: Mapping[str, Json]) -> dict[str, str]:
    messages: dict[str, str] = {}
    for version, manifest in sent.items():
        message = manifest.get("deprecated", "")
        if message == stored[version].get("deprecated", ""):
            continue  # whatever it is: a package.json may well say false
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            raise _refusal(f"must have a string of at most {MAX_MESSAGE} characters as the 'deprecated' of {version}")
        messages[version] = message
    return messages


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The document {what}.", code="invalid-revision")


def _not_kept() -> MethodNotAllowed:
    return MethodNotAllowed("This registry keeps no owners and no stars.", allow=("GET", "HEAD", "PUT"))
