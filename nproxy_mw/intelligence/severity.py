"""How severe an advisory is: what its database says, else its highest CVSS base score. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cvss import CVSS2, CVSS3, CVSS4, CVSSError

_LEVELS = {"LOW": "low", "MODERATE": "moderate", "MEDIUM": "moderate", "HIGH": "high", "CRITICAL": "critical"}
_FROM = ((9.0, "critical"), (7.0, "high"), (4.0, "moderate"), (0.1, "low"))
"""From which base score on a level holds: https://www.first.org/cvss/v4.0/specification-document, section 6."""

_CLASSES = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}


class Severity(NamedTuple):
    """*level* is in npm's words, None when nobody said. *vector* and *score* are CVSS's, where there is one."""

    level: str | None = None
    vector: str = ""
    score: float = 0.0


def severity_of(scores: Iterable[Mapping[str, str]], *documents: Mapping[str, Any] | None) -> Severity:
    """Returns the severity that an OSV ``severity`` list and the database's own documents give."""
    said = next((level for document in documents if (level := _said(document))), None)
    rated = max((_rated(score) for score in scores), key=lambda severity: severity.score, default=Severity())
    return rated._replace(level=said) if said else rated


def _said(document: Mapping[str, Any] | None) -> str | None:
    value = (document or {}).get("severity")
    return _LEVELS.get(value.upper()) if isinstance(value, str) else None


def _rated(entry: Mapping[str, str]) -> Severity:
    vector = entry.get("score", "")
    made = _CLASSES.get(entry.get("type", ""))
    if made is None or len(vector) > 512:
        return Severity()
    try:
        score = float(made(vector).scores()[0]) if made is not CVSS4 else float(made(vector).base_score)
    except (CVSSError, ValueError, TypeError):
        return Severity()
    level = next((level for least, level in _FROM if score >= least), None)
    return Severity(level, vector, score)
