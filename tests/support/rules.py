"""A rule for tests of what surrounds rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class FlagsNothing:
    """A rule of any name, which flags nothing."""

    def __init__(self, name: str) -> None:
        self.id = name

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterable[Verdict]:
        """Yields nothing."""
        return ()
