"""Whether a manifest agrees with the ``package.json`` in its tarball: against manifest confusion.

Clients decide by the manifest what to install, and scanners what to report, but what runs comes from the tarball. A
field in which the two differ more than clients' own corrections (`nproxy_mw.npm.package_json`) explain is refused. An
honest document is refused, too, when a script of its author changes ``package.json`` only while it is packed: then the
manifest describes another package than the tarball.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm import package_json as corrected
from nproxy_mw.npm.facts import INSTALL_SCRIPTS
from nproxy_mw.npm.hosted_git import meaning
from nproxy_mw.npm.package_json import Fields
from nproxy_mw.npm.tarballs import Contents

_ABSENT = object()
_ADDED = {
    "preinstall": ("node-waf clean || true; node-waf configure build", "node-waf configure build"),  # npm 0 and 1
    "install": ("node-gyp rebuild",),
    "start": ("node server.js",),
}


def check_same(manifest: Fields, package: Fields) -> None:
    """Compares *manifest* with *package*, the package.json of its tarball.

    Raises:
        BadRequest: they differ in what an install does.
    """
    if _are_spelled_alike(manifest, package) and manifest.get("version") is not None:
        return  # as for most packages: nothing needs correcting
    for field, is_same in _FIELDS.items():
        if not is_same(manifest, package):
            raise _differ(field)


def runs_on_install(package: Fields, contents: Contents) -> bool:
    """Returns whether an install of the package runs something: a script, or node-gyp for a ``*.gyp`` file."""
    scripts = corrected.scripts(package)
    return any(map(scripts.get, INSTALL_SCRIPTS)) or (contents.has_gyp and corrected.builds_by_gyp(package))


def _are_spelled_alike(manifest: Fields, package: Fields) -> bool:
    """Whether what decides is the same, as text: to Python, true is 1. To clients, null is not an absent field."""
    try:
        one, other = [repr([*map(fields.get, _DECIDING, repeat(_ABSENT))]) for fields in (manifest, package)]
    except RecursionError:  # what is nested deeply is compared field by field
        return False
    return one == other


def _differ(field: str) -> BadRequest:
    return BadRequest(
        f"The manifest and the package.json in the tarball differ in {field}; publish again with the client's own "
        "publish command, and without a script that changes package.json while it is packed.",
        code="manifest-confusion",
    )


def same_name(manifest: Fields, package: Fields) -> bool:
    """Returns whether the two have one name."""
    return manifest.get("name") == corrected.name(package)


def same_version(manifest: Fields, package: Fields) -> bool:
    """Returns whether the two have one version."""
    given = manifest.get("version")
    return given is not None and given in (package.get("version"), corrected.version(package))


def other_dependencies(manifest: Fields, package: Fields) -> set[str]:
    """Returns the names in ``dependencies`` in which the two differ.

    npm below 7 copies optional dependencies there, npm takes them out of there, and adds what is bundled.
    """
    ours, theirs = corrected.dependencies(manifest, "dependencies"), corrected.dependencies(package, "dependencies")
    optional, bundled = corrected.dependencies(package, "optionalDependencies"), _bundled(package)
    return {
        name
        for name in _other_entries(ours, theirs)
        if not (name in optional and (name not in ours or _same_entry(ours[name], optional[name])))
        and not (name in bundled and name not in theirs and ours.get(name) == "*")
    }


def other_optional_dependencies(manifest: Fields, package: Fields) -> set[str]:
    """Returns the names in ``optionalDependencies`` in which the two differ."""
    field = "optionalDependencies"
    return _other_entries(corrected.dependencies(manifest, field), corrected.dependencies(package, field))


def _other_entries(ours: Fields, theirs: Fields) -> set[str]:
    return {name for name in {*ours, *theirs} if not _same_entry(ours.get(name, _ABSENT), theirs.get(name, _ABSENT))}


def _same_entry(ours: object, theirs: object) -> bool:
    """Clients drop a specifier that is no string, and rewrite one that names a repository."""
    if ours == theirs:
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        return meaning(ours) == meaning(theirs)
    return ours is _ABSENT and not isinstance(theirs, str)


def _same_bundled(manifest: Fields, package: Fields) -> bool:
    expected = _bundled(package)
    return _bundled(manifest) == expected and all(
        corrected.bundled(manifest, field) == expected or manifest[field] == package.get(field)
        for field in ("bundleDependencies", "bundledDependencies")
        if field in manifest
    )


def _bundled(package: Fields) -> frozenset[str]:
    field = "bundleDependencies" if "bundleDependencies" in package else "bundledDependencies"
    return corrected.bundled(package, field)


def _same_as_is(field: str) -> Callable[[Fields, Fields], bool]:
    return lambda manifest, package: (manifest.get(field) or {}) == (package.get(field) or {})


def same_binaries(manifest: Fields, package: Fields) -> bool:
    """Returns whether the two have the same commands."""
    folder, kept = corrected.binaries_folder(package), corrected.binaries_folder(manifest)
    ours, theirs = corrected.binaries(manifest), corrected.binaries(package)
    if ours == theirs:
        return folder == kept or bool(ours)  # who has commands by name has none by folder
    # npm lists the files of directories.bin, those it does not pack too; yarn 1 then drops the folder.
    return not theirs and kept in (folder, "") and all(_is_listed(folder, *entry) for entry in ours.items())


def _is_listed(folder: str, command: str, path: str) -> bool:
    return bool(folder) and path.startswith(f"{folder}/") and path.rpartition("/")[2] == command


def other_scripts(manifest: Fields, package: Fields) -> set[str]:
    """Returns the names of the scripts in which the two differ.

    Clients add scripts for files next to package.json, also for files that they do not pack. A manifest may state that
    an install runs node-gyp although it does not: that hides nothing.
    """
    ours, theirs = corrected.scripts(manifest), corrected.scripts(package)
    return {
        name
        for name in {*ours, *theirs}
        if ours.get(name) != theirs.get(name) and (theirs.get(name) or ours.get(name) not in _ADDED.get(name, ()))
    }


def _same_gypfile(manifest: Fields, package: Fields) -> bool:
    """False switches off an implied build; npm sets it to true for one that it saw."""
    return (manifest.get("gypfile") is False) == (package.get("gypfile") is False)


def _none(differing: Callable[[Fields, Fields], set[str]]) -> Callable[[Fields, Fields], bool]:
    return lambda manifest, package: not differing(manifest, package)


_FIELDS: Mapping[str, Callable[[Fields, Fields], bool]] = {
    "name": same_name,
    "version": same_version,
    "dependencies": _none(other_dependencies),
    "optionalDependencies": _none(other_optional_dependencies),
    "peerDependencies": _same_as_is("peerDependencies"),
    "peerDependenciesMeta": _same_as_is("peerDependenciesMeta"),
    "dependenciesMeta": _same_as_is("dependenciesMeta"),
    "bundleDependencies": _same_bundled,
    "bin": same_binaries,
    "scripts": _none(other_scripts),
    "gypfile": _same_gypfile,
}

_DECIDING = (*_FIELDS, "bundledDependencies", "directories")
"""All that the comparisons look at."""
