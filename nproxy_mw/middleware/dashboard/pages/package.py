"""One internal package: its README, versions, tags and history, and what can be changed about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nproxy_mw.errors import BadRequest, Conflict, MethodNotAllowed, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.readme import shown_readme
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages import editing
from nproxy_mw.packages.browsing import BrowsedPackage

EVENTS = 15  # of the package's own history on its page
VERSIONS = 50


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as the table shows it."""

    version: str
    published: str
    publisher: str
    size: int | None
    is_signed: bool
    deprecated: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TagRow:
    """One dist-tag. *moved_from* is the version it named before, as far as the history tells."""

    tag: str
    version: str
    moved_from: str
    moved_at: str


def show(request: PageRequest) -> Answer:
    """Returns the page of an internal package. What the rules say of any other is on the page Explain."""
    try:
        return _package(request)
    except NotFound:
        name = parse_name(request.parts["package"])
        if name.scope in request.organization.settings.get().internal_scopes:
            raise
        return Redirect(request.here("explain"), query={"package": str(name)})


def set_tag(request: PageRequest) -> Answer:
    """Points a dist-tag at a version."""
    tag, version = request.form.text("tag"), request.form.text("version")
    return _changed(
        request, "tag-set", lambda name: request.organization.packages.tag(name, tag, version, request.actor)
    )


def remove_tag(request: PageRequest) -> Answer:
    """Removes a dist-tag."""
    tag = request.form.text("tag")
    return _changed(request, "tag-removed", lambda name: request.organization.packages.untag(name, tag, request.actor))


def deprecate(request: PageRequest) -> Answer:
    """Sets the deprecation message of one version or of all; an empty one removes it."""
    version, message = request.form.text("version"), request.form.text("message")

    def change(name: Name) -> None:
        editing.set_message(request.organization.packages, name, version, message, actor=request.actor)

    return _changed(request, "deprecated" if message else "undeprecated", change)


def ask_unpublish(request: PageRequest) -> Answer:
    """Returns the question before a package, or one version, is unpublished."""
    return _question(request)


def unpublish(request: PageRequest) -> Answer:
    """Unpublishes a package, or one version, when its name was written as asked."""
    version, name = request.form.text("version"), parse_name(request.parts["package"])
    if request.form.text("confirm") != _written(name, version):
        return _question(request, "That is not what was asked for: nothing was unpublished.")
    is_allowed = request.organization.settings.get().version_unpublish
    try:
        editing.unpublish(request.organization.packages, name, version, is_allowed=is_allowed, actor=request.actor)
    except (BadRequest, Conflict, MethodNotAllowed) as error:
        return _question(request, error.message)
    if not version:
        return Redirect(request.here("packages"), "unpublished")
    return Redirect(request.here("packages", str(name)), "version-unpublished")


def _changed(request: PageRequest, notice: str, change: Callable[[Name], None]) -> Answer:
    name = parse_name(request.parts["package"])
    try:
        change(name)
    except (BadRequest, Conflict, NotFound) as error:
        return _package(request, error.message)
    return Redirect(request.here("packages", str(name)), notice)


def _package(request: PageRequest, problem: str = "") -> Page:
    organization, name = request.organization, parse_name(request.parts["package"])
    package = organization.packages.browse(name, for_write=bool(problem))
    members, latest = package.members, package.tags.get("latest", "")
    readme, is_cut = shown_readme(str(members.get("readme") or ""))
    names = organization.search_index.names()
    versions = page_of(package.versions, request.query.text("page"), VERSIONS)
    values = {
        "description": str(members.get("description") or ""),
        "created": package.published("created"),
        "name": str(name),
        "latest": latest,
        "manifest": package.manifest(latest) if latest in package.versions else {},
        "dependents": request.site.dependents.of(organization.id, organization.packages, names, str(name)),
        "readme": readme,
        "is_cut": is_cut,
        "page": versions,
        "rows": [_row(package, version) for version in versions.entries],
        "all_versions": package.versions[:200],
        "tags": list(_tags(package)),
        "events": list(package.newest_events(EVENTS)),
        "links": {key: _link(members, key) for key in ("homepage", "repository", "bugs")},
        "problem": problem,
        "can_unpublish_versions": organization.settings.get().version_unpublish and len(package.versions) > 1,
    }
    return Page("package.html", str(name), values, 400 if problem else 200)


def _row(package: BrowsedPackage, version: str) -> VersionRow:
    manifest = package.manifest(version)
    dist = manifest["dist"]
    return VersionRow(
        version,
        package.published(version),
        str(_member(manifest.get("_npmUser"), "name")),
        dist.get("unpackedSize"),
        bool(dist.get("signatures")),
        str(manifest.get("deprecated") or ""),
        tuple(sorted(tag for tag, target in package.tags.items() if target == version)),
    )


def _tags(package: BrowsedPackage) -> Iterator[TagRow]:
    moves: dict[str, list[Json]] = {}
    for event in package.events_of("package.tagged"):
        moves.setdefault(str(event.get("tag")), []).append(event)
    for tag, version in sorted(package.tags.items()):
        events = moves.get(tag, [])
        before = events[-2].get("version", "") if len(events) > 1 else ""
        yield TagRow(tag, version, str(before), str(events[-1].get("time", "")) if events else "")


def _question(request: PageRequest, problem: str = "") -> Page:
    name = parse_name(request.parts["package"])
    versions = request.organization.packages.browse(name).versions
    version = request.form.text("version") or request.query.text("version")
    if version and version not in versions:
        raise NotFound("The package has no such version.", code="version-not-found")
    values = {
        "name": str(name),
        "version": version,
        "written": _written(name, version),
        "number": len(versions),
        "problem": problem,
    }
    return Page("unpublish.html", f"Unpublish {_written(name, version)}?", values, 400 if problem else 200)


def _written(name: Name, version: str) -> str:
    """What must be written before something is unpublished."""
    return f"{name}@{version}" if version else str(name)


def _link(members: Json, key: str) -> str:
    value = members.get(key)
    url = str(value if isinstance(value, str) else _member(value, "url"))
    return url.removeprefix("git+").removesuffix(".git")


def _member(value: Any, key: str) -> Any:
    return value.get(key, "") if isinstance(value, Mapping) else ""
