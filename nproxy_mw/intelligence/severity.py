"""How severe an advisory is: what its database says, else its highest CVSS base score. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_LEVELS = {"LOW": "low", "MODERATE": "moderate", "MEDIUM": "moderate", "HIGH": "high", "CRITICAL": "critical"}
_FROM = ((9.0, "critical"), (7.0, "high"), (4.0, "moderate"), (0.1, "low"), (0.0, "info"))
"""From which base score on a level holds: https://www.first.org/cvss/v4.0/specification-document, section 6.

Scores of version 2 are read with the same table. FIRST calls a score of 0 "none", npm calls it "info".
"""

_CLASSES = {"CVSS_V2": "CVSS2", "CVSS_V3": "CVSS3", "CVSS_V4": "CVSS4"}
_MAX_VECTOR = 512  # characters


class Severity(NamedTuple):
    """*level* is in npm's words, None when nobody said. *vector* and *score* are CVSS's, where there is one."""

    level: str | None = None
    vector: str = ""
    score: float = 0.0


def severity_of(
    scores: Iterable[Iterable[Mapping[str, str]]], documents: Iterable[Mapping[str, Any] | None]
) -> Severity:
    """Returns the severity of one affected package.

    *scores* are OSV's ``severity`` lists: the first that has a readable score counts. *documents* are what databases
    say in their own words: the first ``severity`` among them decides about the level.
    """
    said = next((level for document in documents if (level := _said(document))), None)
    rated = next((found for several in scores if (found := _highest(several)).level), Severity())
    return rated._replace(level=said) if said else rated


def _said(document: Mapping[str, Any] | None) -> str | None:
    value = (document or {}).get("severity")
    return _LEVELS.get(value.upper()) if isinstance(value, str) else None


def _highest(scores: Iterable[Mapping[str, str]]) -> Severity:
    given = [(score.get("type", ""), score.get("score", "")) for score in scores]
    rated = [_rated(kind, vector) for kind, vector in given if len(vector) <= _MAX_VECTOR]
    return max((found for found in rated if found.level), key=lambda found: found.score, default=Severity())


@lru_cache(maxsize=4096)
def _rated(kind: str, vector: str) -> Severity:
    made = _CLASSES.get(kind)
    if made is None:
        return Severity()
    # Imported here because most advisories say in a word how severe they are.
    import cvss

    try:
        score = float(getattr(cvss, made)(vector).scores()[0])
    except (cvss.CVSSError, ValueError, TypeError):
        return Severity()
    return Severity(next(level for least, level in _FROM if score >= least), vector, score)
