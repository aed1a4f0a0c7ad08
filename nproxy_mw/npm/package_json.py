"""The corrections that npm makes to a ``package.json`` before it sends it as a manifest.

npm writes the file into the tarball as the author left it, and a corrected reading of it into the document, so the two
differ in honest packages. Each function here returns the corrected reading of one field, and returns the same for a
field that is corrected already. The rules are those of npm's @npmcli/package-json ("prepare", "normalize") and, where
older clients do otherwise, of normalize-package-data.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]

# semver's loose form: 'v1.2.3', ' = 1.2.3', '01.2.3', '1.2.3beta'. The build part is dropped.
_LOOSE = re.compile(
    r"[v=\s]*([0-9]{1,16})\.([0-9]{1,16})\.([0-9]{1,16})"
    r"(?:-?([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\s*",
    re.ASCII,
)
_LIST_MARKS = re.compile(r"[\s,]+")
_NAME_END = re.compile(r"(:?[@\s><=])")
_LOCAL_BINARY = re.compile(r"\A(?:\.[/\\])?node_modules[/\\].bin[\\/]")


def name(package: Fields) -> str | None:
    """Returns the name without spaces around it."""
    given = package.get("name")
    return given.strip() if isinstance(given, str) else None


def version(package: Fields) -> str | None:
    """Returns the version as npm cleans it, or None when the field holds no version."""
    given = package.get("version")
    match = _LOOSE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        return None
    text = ".".join(map(str, map(int, match.groups()[:3])))
    parts = match[4].split(".") if match[4] else ()
    return text + ("-" if parts else "") + ".".join(str(int(part)) if part.isdigit() else part for part in parts)


def dependencies(package: Fields, field: str) -> dict[str, Any]:
    """Returns a map of names to specifiers; npm also takes a list or a line of ``name@specifier``."""
    given = package.get(field)
    if isinstance(given, str):
        given = _LIST_MARKS.split(given.strip())
    if isinstance(given, list):
        return dict(_named(entry) for entry in given if isinstance(entry, str))
    return given if isinstance(given, dict) else {}


def bundled(package: Fields, field: str) -> frozenset[str]:
    """Returns the names of the packages in the tarball; npm also takes ``true`` for all dependencies, or a map."""
    given = package.get(field)
    if given is True:
        return frozenset(dependencies(package, "dependencies"))
    if isinstance(given, dict):
        return frozenset(given)
    return frozenset(entry for entry in given if isinstance(entry, str) and entry) if isinstance(given, list) else _NONE


def scripts(package: Fields) -> dict[str, str]:
    """Returns the scripts that are strings, without a path to the local binaries, which npm finds by itself."""
    given = package.get("scripts")
    pairs = given.items() if isinstance(given, dict) else ()
    return {key: _LOCAL_BINARY.sub("", text) for key, text in pairs if isinstance(text, str)}


def binaries(package: Fields) -> dict[str, str]:
    """Returns the names of commands and the files they run, relative and within the package."""
    given = package.get("bin")
    if isinstance(given, str):
        given = {name(package) or "": given} if given else {}
    elif isinstance(given, list):
        given = {_base(entry): entry for entry in given if isinstance(entry, str)}
    cleaned = dict(given) if isinstance(given, dict) else {}
    for key in list(cleaned):  # in place, as npm does: when two keys mean one command, the first one's file stays
        target = cleaned.pop(key)
        command, path = _base(inner_path(key)), inner_path(target) if isinstance(target, str) else ""
        if command and path:
            cleaned[command] = path
    return cleaned


def binaries_folder(package: Fields) -> str:
    """Returns ``directories.bin``, relative and within the package; empty when there is none."""
    directories = package.get("directories")
    folder = directories.get("bin") if isinstance(directories, dict) else None
    return inner_path(folder).rstrip("/") if isinstance(folder, str) else ""


def builds_by_gyp(package: Fields) -> bool:
    """Returns whether npm would build the package with node-gyp if there is a ``*.gyp`` file."""
    given = scripts(package)
    return not given.get("install") and not given.get("preinstall") and package.get("gypfile") is not False


def inner_path(path: str) -> str:
    """Returns a path with ``\\`` and ``:`` read as ``/`` and without ways out of the package."""
    unix = re.sub(r"[\\:]", "/", path)
    inner = posixpath.normpath("/" + unix).strip("/")
    return inner + "/" if inner and unix.endswith("/") else inner


def _base(path: str) -> str:
    return posixpath.basename(path.rstrip("/"))


def _named(entry: str) -> tuple[str, str]:
    found, *rest = _NAME_END.split(entry.strip())
    return found, "".join(rest).removeprefix("@").strip()


_NONE: frozenset[str] = frozenset()
