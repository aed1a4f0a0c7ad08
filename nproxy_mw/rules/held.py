"""The refusal of a version that security rules hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nproxy_mw.errors import Forbidden


class Held(Forbidden):
    """403: security rules hold the version, or every version of the package. *rules* has a document per finding.

    ``see`` is the URL that explains it; empty where nobody offers it.
    """

    code = "held-by-rule"

    def __init__(self, message: str, *, package: str, version: str, rules: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.package = package
        self.version = version
        self.rules = rules

    def headers(self) -> list[tuple[str, str]]:
        names = sorted({str(rule["rule"]) for rule in self.rules})
        versions = len({rule["version"] for rule in self.rules})
        return [("X-NProxy-Blocked", str(versions)), ("X-NProxy-Rules", ", ".join(names))]

    def details(self) -> dict[str, Any]:
        return {"rules": list(self.rules)} | ({"explain": self.see} if self.see else {})
