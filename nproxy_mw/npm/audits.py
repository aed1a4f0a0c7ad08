"""Audit bodies: rebuilt from what the upstream may know, and from nothing else.

An audit tells a registry what a project is made of: names of internal packages, aliases, URLs, the project's own name.
So nothing of a client's body is passed on. A new body is built from pairs of a public package name and a strict
version, each parsed, and from constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import is_version

IsInternal: TypeAlias = Callable[[Name], bool]

_SEVERITIES = ("info", "low", "moderate", "high", "critical")


def bulk_without(body: Any, is_internal: IsInternal) -> dict[str, list[str]]:
    """The public part of a bulk audit: ``{"lodash": ["4.17.0"], ...}``.

    Raises:
        BadRequest: *body* is not an object.
    """
    public: dict[str, list[str]] = {}
    for key, versions in _object(body).items():
        name = _public(key, is_internal)
        kept = [version for version in versions if _is_strict(version)] if isinstance(versions, list) else []
        if name is not None and kept:
            public[str(name)] = sorted(set(kept))
    return public


def quick_without(body: Any, is_internal: IsInternal) -> dict[str, Any]:
    """The public part of a quick audit, laid flat.

    Where a tree holds several versions of a package, the first stands at the root and the others in groups of their
    own beside it, named like a workspace's members, which no package can be: the shape of the project is not told.

    Raises:
        BadRequest: *body* is not an object.
    """
    found: dict[str, list[str]] = {}
    for key, version in _nodes(_object(body)):
        name = _public(key, is_internal)
        if name is not None and _is_strict(version) and version not in found.setdefault(str(name), []):
            found[str(name)].append(version)
    root = _group(found, 0)
    for index in range(1, max(map(len, found.values()), default=0)):
        root["dependencies"][f".{index}"] = {"version": "0.0.0", **_group(found, index)}
        root["requires"][f".{index}"] = "0.0.0"
    return {"name": "project", "version": "0.0.0", "install": [], "remove": [], "metadata": {}, **root}


def is_empty(quick: Mapping[str, Any]) -> bool:
    """Whether a rebuilt quick audit names no package at all."""
    return not quick["dependencies"]


def empty_report() -> dict[str, Any]:
    """The answer to a quick audit that finds nothing."""
    return {
        "actions": [],
        "advisories": {},
        "muted": [],
        "metadata": {
            "vulnerabilities": dict.fromkeys(_SEVERITIES, 0),
            "dependencies": 0,
            "devDependencies": 0,
            "optionalDependencies": 0,
            "totalDependencies": 0,
        },
    }


def _group(found: Mapping[str, list[str]], index: int) -> dict[str, Any]:
    members = {name: versions[index] for name, versions in found.items() if len(versions) > index}
    nodes = {name: {"version": version, "requires": {}, "dependencies": {}} for name, version in members.items()}
    return {"requires": dict(members), "dependencies": nodes}


def _nodes(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every name and version in a tree. A stack of its own: a client decides how deep the tree is."""
    waiting = [tree]
    while waiting:
        dependencies = waiting.pop().get("dependencies")
        for key, node in dependencies.items() if isinstance(dependencies, dict) else ():
            if isinstance(node, dict):
                yield key, node.get("version")
                waiting.append(node)


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("An audit's body is a JSON object.")
    return body


def _public(text: str, is_internal: IsInternal) -> Name | None:
    try:
        name = parse_name(text)
    except BadRequest:
        return None
    return None if is_internal(name) else name


def _is_strict(version: Any) -> bool:
    return isinstance(version, str) and is_version(version)
