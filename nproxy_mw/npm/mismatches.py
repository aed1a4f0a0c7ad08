"""Whether a public tarball is the package that its packument describes: manifest confusion, seen from an installer.

A registry lets a publisher send a manifest and a tarball that contradict each other. Clients resolve, and scanners
report, by the manifest; what is installed and run comes from the tarball. Compared is what an install does, after the
corrections that npm makes on the way from the one to the other (`nproxy_mw.npm.package_json`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from nproxy_mw.errors import BadRequest, UpstreamUnavailable
from nproxy_mw.npm import manifests
from nproxy_mw.npm import package_json as corrected
from nproxy_mw.npm.facts import INSTALL_SCRIPTS
from nproxy_mw.npm.package_json import Fields
from nproxy_mw.npm.slices import Members, check_values, outline
from nproxy_mw.npm.tarballs import Contents, Whole, inspect

COMPARED = (
    "name",
    "version",
    "dependencies",
    "optionalDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "scripts",
    "bin",
    "directories",
    "gypfile",
    "hasInstallScript",
)
"""Fields that are looked at, or that explain a difference."""

SHOWN = 3
"""Names of one field that the clause has."""

LONGEST_NAME = 100  # characters


def mismatch(manifest: Members, tarball: Whole) -> str:
    """Returns in what *tarball* contradicts the *manifest* of its version, as a clause; empty when it does not.

    A tarball that the strict reader refuses is one that two readers may understand differently, and counts as a
    contradiction, too.
    """
    try:
        stated = _read(manifest)
        contents = inspect(tarball, lambda raw: _read(outline(raw)))
    except (BadRequest, UpstreamUnavailable) as error:
        return f"its tarball cannot be compared with the packument: {error.message.removesuffix('.')}"
    found = dict(_differences(stated, contents.package_json))
    if found:
        fields = ", ".join(f"{field} ({what})" if what else field for field, what in found.items())
        return f"the package.json in its tarball differs from the packument in {fields}"
    if _builds_unseen(stated, contents):
        return "its tarball has a binding.gyp that the packument does not mention, so an install runs node-gyp"
    return ""


def _read(members: Members) -> dict[str, Any]:
    """The compared fields; of equal keys the last one counts, as for every client."""
    return {field: _built(members[field]) for field in COMPARED if field in members}


def _built(raw: Raw) -> Any:
    check_values(bytes(raw))
    return msgspec.json.decode(raw)


def _differences(manifest: Fields, package: Fields) -> Iterator[tuple[str, str]]:
    """Yields the fields that differ, each with the names in it that do."""
    if not manifests.same_name(manifest, package):
        yield "name", _listed([str(package.get("name"))])
    if not manifests.same_version(manifest, package):
        yield "version", _listed([str(package.get("version"))])
    differing: Mapping[str, set[str]] = {
        "dependencies": manifests.other_dependencies(manifest, package),
        "optionalDependencies": manifests.other_optional_dependencies(manifest, package),
        "scripts": _other_install_scripts(manifest, package),
    }
    yield from ((field, _listed(sorted(names))) for field, names in differing.items() if names)
    if not manifests.same_binaries(manifest, package):
        yield "bin", ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:LONGEST_NAME] for name in names[:SHOWN]) + more


def _other_install_scripts(manifest: Fields, package: Fields) -> set[str]:
    # A mirror that says that there are some, and not which, hides nothing.
    if _says_it_runs(manifest) and "scripts" not in manifest:
        return set()
    return manifests.other_scripts(manifest, package).intersection(INSTALL_SCRIPTS)


def _builds_unseen(manifest: Fields, contents: Contents) -> bool:
    has_build = any(name.casefold() == "binding.gyp" for name in contents.root_files)
    scripts = corrected.scripts(manifest)
    is_told = manifest.get("gypfile") is True or scripts.get("install") or scripts.get("preinstall")
    return has_build and corrected.builds_by_gyp(contents.package_json) and not is_told and not _says_it_runs(manifest)


def _says_it_runs(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("hasInstallScript") is True
