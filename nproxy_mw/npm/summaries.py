"""What a list of packages shows of each one. A manifest holds what its author wrote, so every field is checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.times import time_in

MAX_TEXT = 1000
"""Characters kept of a description or a deprecation message."""

MAX_ITEMS = 100
"""Keywords and maintainers kept."""

_MAX_ITEM = 100  # characters of a keyword or a name


def summary(packument: Json) -> dict[str, Any]:
    """Returns what is shown of an internal package, about its latest version where that makes a difference.

    Without the tag ``latest``, the newest version stands in.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, StopIteration: this is no packument of ours.
    """
    versions, tags, times = packument["versions"], packument["dist-tags"], packument["time"]
    latest = tags.get("latest")
    version = latest if latest in versions else next(reversed(versions))
    manifest = versions[version]
    return {
        "name": packument["name"],
        "version": version,
        "latest": latest,
        "description": _text(packument.get("description"), MAX_TEXT),
        "keywords": _texts(packument.get("keywords")),
        "author": _name(packument.get("author")),
        "license": _text(packument.get("license"), _MAX_ITEM),
        "maintainers": _texts(map(_name, packument.get("maintainers") or ())),
        "publisher": _name(manifest.get("_npmUser")),
        "deprecated": _text(manifest.get("deprecated"), MAX_TEXT),
        "date": _time(times.get(version)),
        "createdAt": _time(times.get("created")),
        "modifiedAt": _time(times.get("modified")),
        "versionCount": len(versions),
    }


def search_result(found: Json) -> dict[str, Any]:
    """Returns a summary as npm expects a search result, which needs every member: npm stops at a missing one.

    Ranks are not kept here, so the scores of all results are alike.
    """
    return {
        "package": {
            "name": found["name"],
            "version": found["version"],
            "description": found["description"],
            "keywords": found["keywords"],
            "date": found["date"],
            "license": found["license"],
            "links": {},
            "publisher": {"username": found["publisher"]},
            "maintainers": [{"username": name} for name in found["maintainers"]],
        },
        "score": {"final": 1, "detail": {"quality": 1, "popularity": 1, "maintenance": 1}},
        "searchScore": 1,
    }


def _text(value: Any, longest: int) -> str:
    return value[:longest] if isinstance(value, str) else ""


def _texts(values: Any) -> list[str]:
    """Returns the texts among *values*; a text alone holds them with commas or spaces between, as npm reads it."""
    if isinstance(values, str):
        values = values.replace(",", " ").split()
    items = values if isinstance(values, Iterable) and not isinstance(values, dict) else ()
    return [text[:_MAX_ITEM] for text, _ in zip(_only_texts(items), range(MAX_ITEMS), strict=False)]


def _only_texts(values: Iterable[Any]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str) and value)


def _name(person: Any) -> str:
    """Returns the name of a person, who is written as an object or as ``Ann Lee <ann@acme.example> (https://...)``."""
    if isinstance(person, dict):
        person = person.get("name")
    return person.partition("<")[0].partition("(")[0].strip()[:_MAX_ITEM] if isinstance(person, str) else ""


def _time(value: Any) -> str | None:
    """Returns a time that every client can parse, or None."""
    return value if time_in(value) else None
