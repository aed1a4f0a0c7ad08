"""What a form calls a setting, or a parameter of a rule, where its name in JSON says too little. Pure."""

from __future__ import annotations

import re

LABELS = {
    "publicReads": "Public packages without a token",
    "versionUnpublish": "Unpublish single versions",
    "ledgerDays": "Days that the record of installs is kept",
    "slimPackuments": "Smaller packuments for npm's installer",
    "auditWithoutAdvisories": "Answer to npm audit without advisories",
    "unknown": "Where that is not known",
    "fixes": "Let fixes of vulnerabilities through",
    "days": "Younger than (days)",
    "hours": "Younger than (hours)",
    "ignoreAfterDays": "Forget evidence after (days)",
    "threshold": "Lowest score allowed",
    "severity": "From this severity on",
    "entries": "Blocked packages",
}
"""By the last part of a path. What a host adds is called by its name in words."""


def label_of(name: str) -> str:
    """Returns what the value under a path is called: ``rules.first_seen.unknown`` is "Where that is not known"."""
    last = name.rpartition(".")[2]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", last).replace("_", " ").lower()
    return LABELS.get(last) or words[:1].upper() + words[1:]
