"""The versions of one package as the pages about a version look at them, wherever the package comes from.

An internal package comes from the organization's store. Any other comes from the upstream, before the rules: somebody
has to look at a held version to release it. Its files are for administrators while it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import dropwhile
from typing import Any

from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.registry_signatures import SignatureReport, signature_report
from nproxy_mw.firewall.review import ReviewedPackage, reviewed
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import parse_loose, sort_key
from nproxy_mw.packages.store import PackageStore


@dataclass(frozen=True, slots=True)
class Releases:
    """The versions of the package *name*. *versions* are the highest first; *held* are those that the rules hold.

    *manifest*, *published* (empty when it is not known) and *tarball* return what belongs to a version. The last one
    raises as the source of the package does. *signatures* tells of the upstream's own; it is None for an internal
    package.
    """

    name: Name
    versions: Sequence[str]
    tags: Mapping[str, str]
    manifest: Callable[[str], Json]
    published: Callable[[str], str]
    tarball: Callable[[str], bytes]
    is_internal: bool = True
    held: Collection[str] = ()
    signatures: Callable[[str], SignatureReport] | None = None


def releases_of(request: PageRequest) -> Releases:
    """Returns the versions of the package in the path.

    Raises:
        NotFound: there is no such package. An internal name is never asked of the upstream.
        Forbidden, UpstreamUnavailable, UpstreamTimeout, Busy: the upstream refuses, or cannot answer just now.
    """
    organization, name = request.organization, parse_name(request.parts["package"])
    firewall = request.site.firewall_of(organization.id)
    try:
        return _internal(organization.packages, name)
    except NotFound:
        if firewall is None or name.scope in organization.settings.get().internal_scopes:
            raise
    return _of_upstream(firewall, reviewed(firewall, name))


def _internal(packages: PackageStore, name: Name) -> Releases:
    package = packages.browse(name)

    def tarball(version: str) -> bytes:
        with packages.open_tarball(name, name.tarball(version)).stream as stream:
            return stream.read()

    return Releases(
        name,
        package.versions,
        package.tags,
        package.manifest,
        package.published,
        tarball,
    )


def _of_upstream(firewall: Firewall, package: ReviewedPackage) -> Releases:
    return Releases(
        package.name,
        package.versions,
        package.tags,
        package.manifest,
        package.published,
        package.tarball,
        is_internal=False,
        held=package.decision.blocked,
        signatures=partial(signature_report, firewall.unruled, package),
    )


def version_before(versions: Sequence[str], version: str) -> str:
    """Returns what a version is compared with: the highest stable one below it; of a package without, the one below.

    Empty when there is none. *versions* are the highest first.
    """
    key = sort_key(version)
    below = list(dropwhile(lambda one: sort_key(one) >= key, versions[versions.index(version) :]))
    return next(filter(_is_stable, below), below[0] if below else "")


def _is_stable(version: str) -> bool:
    number = parse_loose(version)
    return number is not None and number.is_stable


def unpacked_size(manifest: Json) -> int | None:
    """Returns the bytes that a manifest says its tarball unpacks to; None when it says nothing sensible."""
    dist: Any = manifest.get("dist")
    size = dist.get("unpackedSize") if isinstance(dist, Mapping) else None
    return size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
