"""What people type after ``npm search``: words, and the qualifiers of the public registry
(https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md#get-v1search).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.npm.packuments import resolve

_QUALIFIERS = frozenset({"author", "keywords", "maintainer", "scope", "is", "not", "boost-exact"})


class Query:
    """A search as it was typed, ready to be compared with packuments. Upper and lower case are alike.

    ``scope:acme``, ``author:ann`` and ``maintainer:ann`` each name one value, ``keywords:a,b`` several of which one
    must fit, ``is:deprecated`` and ``not:deprecated`` what the latest version is. Other values of ``is`` and ``not``,
    and ``boost-exact``, are about ranks and scores, which are not kept here.
    """

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self.qualifiers: list[tuple[str, str]] = []
        for part in text.lower().split():
            key, colon, value = part.partition(":")
            if colon and value and key in _QUALIFIERS:
                self.qualifiers.append((key, value))
            else:
                self.words.append(part)

    def matches(self, packument: Json) -> bool:
        """Returns whether all words stand in the name, the description or the keywords, and all qualifiers hold."""
        text = f"{packument['name']} {packument.get('description') or ''} {packument.get('keywords') or []}".lower()
        return all(word in text for word in self.words) and all(
            _holds(packument, key, value) for key, value in self.qualifiers
        )


def result(packument: Json) -> dict[str, Any]:
    """Returns one search result; npm needs every member, maintainers included."""
    manifest = _latest(packument)
    version = manifest["version"]
    return {
        "package": {
            "name": packument["name"],
            "version": version,
            "description": manifest.get("description") or "",
            "keywords": manifest.get("keywords") or [],
            "date": packument["time"][version],
            "links": {},
            "publisher": {"username": manifest["_npmUser"]["name"]},
            "maintainers": [{"username": one["name"]} for one in packument.get("maintainers", [])],
        },
        "score": {"final": 1, "detail": {"quality": 1, "popularity": 1, "maintenance": 1}},
        "searchScore": 1,
    }


def _latest(packument: Json) -> Json:
    version = packument["dist-tags"].get("latest") or next(reversed(packument["versions"]))
    return resolve(packument, version)


def _holds(packument: Json, key: str, value: str) -> bool:
    if key == "scope":
        return bool(packument["name"].lower().startswith(f"@{value.removeprefix('@')}/"))
    if key == "keywords":
        return not set(value.split(",")).isdisjoint(_lowered(packument.get("keywords")))
    if key == "author":
        author = packument.get("author")
        return value in _lowered([author.get("name") if isinstance(author, dict) else author])
    if key == "maintainer":
        return value in _lowered(one["name"] for one in packument.get("maintainers", []))
    if value == "deprecated" and key in ("is", "not"):
        return bool(_latest(packument).get("deprecated")) is (key == "is")
    return True


def _lowered(values: Iterable[Any] | None) -> list[str]:
    texts = [values] if isinstance(values, str) else values or ()
    return [text.lower() for text in texts if isinstance(text, str)]
