"""Audit bodies: rebuilt from what the upstream may know, and from nothing else.

An audit shows a registry what a project is made of: names of internal packages, aliases, URLs, the project's own name.
So no part of a client's body is passed on. A new body is built from pairs of a public package name and a strict
version, each parsed, and from constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.slices import Members, as_count, as_text, list_of, members_of
from nproxy_mw.npm.versions import is_version
from nproxy_mw.token_format import holds_secret

IsInternal: TypeAlias = Callable[[Name], bool]

SEVERITIES = ("info", "low", "moderate", "high", "critical")
"""What clients know. pnpm leaves an advisory out that has another one."""


class OwnAdvisory(NamedTuple):
    """An advisory of this registry's own about some audited *versions* of a package.

    *names* are the ids under which others know it. *document* is in the form of a bulk audit's answer.
    """

    names: frozenset[str]
    versions: Sequence[str]
    document: Mapping[str, Any]


OwnAdvisories = Mapping[str, Sequence[OwnAdvisory]]
"""Advisories by package."""


def bulk_without(body: Any, is_internal: IsInternal) -> dict[str, list[str]]:
    """Returns the public part of a bulk audit: ``{"lodash": ["4.17.0"], ...}``.

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
    """Returns the public part of a quick audit as a flat tree.

    The shape of the project stays hidden. Where a tree has several versions of a package, the first is at the root and
    the others are in groups next to it, named like a workspace's members, which no package can be.

    Raises:
        BadRequest: *body* is not an object.
    """
    found: dict[str, dict[str, None]] = {}  # versions in the order they were met
    for key, version in _nodes(_object(body)):
        name = _public(key, is_internal)
        if name is not None and _is_strict(version):
            found.setdefault(str(name), {})[version] = None
    groups: list[dict[str, str]] = [{}]
    for name_text, versions in found.items():
        groups += [{} for _ in range(len(versions) - len(groups))]
        for group, version in zip(groups, versions, strict=False):
            group[name_text] = version
    root = _tree(groups[0])
    for index, group in enumerate(groups[1:], 1):
        root["dependencies"][f".{index}"] = {"version": "0.0.0", **_tree(group)}
        root["requires"][f".{index}"] = "0.0.0"
    return {"name": "project", "version": "0.0.0", "install": [], "remove": [], "metadata": {}, **root}


def is_empty(quick: Mapping[str, Any]) -> bool:
    """Returns whether a rebuilt quick audit names no package at all."""
    return not quick["dependencies"]


def empty_report() -> dict[str, Any]:
    """Returns the report of a quick audit that finds nothing."""
    return {
        "actions": [],
        "advisories": {},
        "muted": [],
        "metadata": {
            "vulnerabilities": dict.fromkeys(SEVERITIES, 0),
            "dependencies": 0,
            "devDependencies": 0,
            "optionalDependencies": 0,
            "totalDependencies": 0,
        },
    }


def versions_of(quick: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the versions that a rebuilt quick audit names, by package, as a bulk audit has them."""
    found: dict[str, list[str]] = {}
    for name, version in _nodes(quick):
        found.setdefault(name, []).append(version)
    return found


def merged_bulk(theirs: Members, ours: OwnAdvisories, asked: Mapping[str, Sequence[str]]) -> dict[str, Raw]:
    """Returns the answer to a bulk audit: the upstream's advisories on what was *asked* for, and then *ours*.

    What the upstream has too is left out of ours. An advisory of theirs whose range is no text is left out: pnpm would
    fail on it.
    """
    merged: dict[str, Raw] = {}
    for name in asked:
        known = [one for one in list_of(theirs.get(name)) if _is_readable(members_of(one))]
        names = {label for one in known for label in _labels(members_of(one))}
        found = [*known, *(one.document for one in ours.get(name, ()) if names.isdisjoint(one.names))]
        if found:
            merged[name] = Raw(msgspec.json.encode(found))
    return merged


def merged_quick(theirs: Members, ours: OwnAdvisories) -> dict[str, Raw]:
    """Returns the answer to a quick audit: the upstream's report with *ours* added to it."""
    known = members_of(theirs.get("advisories"))
    names = {label for one in known.values() for label in _labels(members_of(one))}
    new = [(name, one) for name, found in ours.items() for one in found if names.isdisjoint(one.names)]
    if not new:
        return dict(theirs)
    advisories = {str(one.document["id"]): _quick_advisory(name, one) for name, one in new}
    return {
        **theirs,
        "advisories": Raw(msgspec.json.encode({**known, **advisories})),
        "actions": Raw(msgspec.json.encode([*list_of(theirs.get("actions")), *(_review(*one) for one in new)])),
        "metadata": Raw(msgspec.json.encode(_counted(theirs, [one for _, one in new]))),
    }


def _quick_advisory(name: str, one: OwnAdvisory) -> dict[str, Any]:
    title = one.document["title"]
    findings = [{"version": version, "paths": [name]} for version in one.versions]
    more = {"module_name": name, "findings": findings, "overview": title, "recommendation": "", "access": "public"}
    return {**one.document, **more, "patched_versions": "<0.0.0", "cves": [], "references": ""}


def _review(name: str, one: OwnAdvisory) -> dict[str, Any]:
    """What yarn 1 needs to show an advisory."""
    resolves = {"id": one.document["id"], "path": name, "dev": False, "optional": False, "bundled": False}
    return {"action": "review", "module": name, "resolves": [resolves]}


def _counted(theirs: Members, new: Sequence[OwnAdvisory]) -> dict[str, Any]:
    metadata = members_of(theirs.get("metadata"))
    known = members_of(metadata.get("vulnerabilities"))
    counts = {severity: as_count(known.get(severity)) or 0 for severity in SEVERITIES}
    for one in new:
        counts[one.document["severity"]] += len(one.versions)
    return {**metadata, "vulnerabilities": counts}


def _is_readable(advisory: Members) -> bool:
    affected = advisory.get("vulnerable_versions")
    return bool(advisory) and (affected is None or as_text(affected) is not None)


def _labels(advisory: Members) -> set[str]:
    url, label = as_text(advisory.get("url")) or "", as_text(advisory.get("github_advisory_id")) or ""
    return set(filter(None, (url.rpartition("/")[2], label)))


def _tree(members: Mapping[str, str]) -> dict[str, Any]:
    nodes = {name: {"version": version, "requires": {}, "dependencies": {}} for name, version in members.items()}
    return {"requires": dict(members), "dependencies": nodes}


def _nodes(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every name and version in a tree. A stack of its own: a client decides how deep the tree is."""
    waiting = [tree]
    while waiting:
        dependencies = waiting.pop().get("dependencies")
        for key, node in dependencies.items() if isinstance(dependencies, dict) else ():
            if isinstance(node, dict):
                waiting.append(node)
                if not _is_member(node):
                    yield key, node.get("version")


def _is_member(node: Mapping[str, Any]) -> bool:
    # pnpm lists a workspace's members so, under the names of their folders: those are the project's own business.
    return node.get("version") == "0.0.0" and not isinstance(node.get("integrity"), str)


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("An audit's body is a JSON object.")
    return body


def _public(text: str, is_internal: IsInternal) -> Name | None:
    try:
        name = parse_name(text)
    except BadRequest:
        return None
    return None if is_internal(name) or holds_secret(text) else name


def _is_strict(version: Any) -> bool:
    return isinstance(version, str) and is_version(version)
