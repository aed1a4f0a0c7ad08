"""Which path has which page, and who may see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from nproxy_mw.errors import NotFound
from nproxy_mw.middleware.dashboard.answers import Answer
from nproxy_mw.middleware.dashboard.request import PageRequest

PageHandler: TypeAlias = Callable[[PageRequest], Answer]


class Access(Enum):
    """Who may use a page."""

    PUBLIC = auto()
    SIGNED_IN = auto()
    READER = auto()
    """Anyone who sees the organization in the path."""
    ADMINISTRATOR = auto()
    """Anyone who manages the organization in the path."""
    PLATFORM = auto()
    """Platform administrators."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one method of a path does, and who may use it."""

    handler: PageHandler
    access: Access


_PARTS = {
    "org": "[a-z0-9-]{1,63}",
    "package": "(?:@[^/]{1,214}/)?[^/@][^/]{0,213}",
    "version": "[0-9][^/]{0,255}",
    "tag": "[^/]{1,214}",
    "id": "[A-Za-z0-9._-]{1,64}",
    "session": "[0-9a-f]{16}",
}


class PageRoute:
    """One path below the dashboard, such as ``orgs/{org}/tokens``, and its offers by method."""

    def __init__(self, path: str, get: Offer | None = None, post: Offer | None = None) -> None:
        self.path = path
        self.offers = {method: offer for method, offer in (("GET", get), ("POST", post)) if offer is not None}
        self._pattern = re.compile(re.sub(r"\{(\w+)\}", lambda part: f"(?P<{part[1]}>{_PARTS[part[1]]})", path))

    def match(self, path: str) -> Mapping[str, str] | None:
        """Returns the named parts of *path* when it is this one."""
        found = self._pattern.fullmatch(path)
        return found.groupdict() if found else None


class Routes:
    """All paths. The first one that matches is taken."""

    def __init__(self, *routes: PageRoute) -> None:
        self.all = routes

    def find(self, path: str) -> tuple[Mapping[str, Offer], Mapping[str, str]]:
        """Returns the offers of *path* by method, and its named parts. Raises `NotFound`."""
        for route in self.all:
            parts = route.match(path)
            if parts is not None:
                return route.offers, parts
        raise NotFound("There is no such page.", code="route-not-found")
