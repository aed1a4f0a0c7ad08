"""Changes of an internal package that a person makes by hand, rather than an npm client with a whole document."""

from __future__ import annotations

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest, MethodNotAllowed
from nproxy_mw.npm.names import Name
from nproxy_mw.packages.store import PackageStore

MAX_MESSAGE = 500  # characters of a deprecation message


def set_message(packages: PackageStore, name: Name, version: str, message: str, *, actor: Actor) -> None:
    """Sets the deprecation message of *version*, or of all versions if that is empty. An empty message removes it.

    Raises:
        BadRequest: the message is too long, or there is no such version.
        NotFound: there is no such package.
        Conflict: somebody else changed it meanwhile.
    """
    message = " ".join(message.split())
    if len(message) > MAX_MESSAGE:
        raise BadRequest(f"A message has at most {MAX_MESSAGE} characters.", code="invalid-message")
    packument, _ = packages.read(name, for_write=True)
    versions = [one for one in packument["versions"] if version in ("", one)]
    if not versions:
        raise BadRequest("There is no such version: choose another.", code="version-not-found")
    packages.deprecate(name, dict.fromkeys(versions, message), packument["_rev"], actor)


def unpublish(packages: PackageStore, name: Name, version: str, *, is_allowed: bool, actor: Actor) -> None:
    """Unpublishes *version*, or the whole package if that is empty.

    *is_allowed* says whether the organization lets single versions be unpublished.

    Raises:
        MethodNotAllowed: a version is named, and that is not allowed.
        BadRequest: there is no such version, or no other one.
        NotFound, Conflict: as the store's own changes.
    """
    packument, _ = packages.read(name, for_write=True)
    if not version:
        packages.unpublish(name, packument["_rev"], actor)
        return
    if not is_allowed:
        raise MethodNotAllowed(
            "Single versions are not unpublished here: allow it in the settings first (versionUnpublish).",
            allow=(),
            code="version-unpublish-not-allowed",
        )
    if version not in packument["versions"]:
        raise BadRequest("There is no such version: choose another.", code="version-not-found")
    if len(packument["versions"]) == 1:
        raise BadRequest("That is the only version: unpublish the package instead.", code="only-version")
    packages.unpublish_versions(name, frozenset({version}), packument["_rev"], actor)
