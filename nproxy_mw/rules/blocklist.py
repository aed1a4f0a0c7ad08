"""blocklist: versions that an administrator of the organization blocked by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from nproxy_mw.intelligence.list_entries import ListEntries, parse_list
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.values import list_of, simple

MAX_ENTRIES = 1000
MAX_LENGTH = 500
"""Characters of one entry."""


class Blocklist:
    """Flags what its parameter ``entries`` names, each a line as `nproxy_mw.intelligence.list_entries` reads it.

    An exception lets such a version through only when it names this rule: an administrator blocked it on purpose.
    """

    id = "blocklist"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per blocked version."""
        for entry in _entries(tuple(parameters["entries"])).get(history.name, ()):
            reason = f"an administrator blocked it{f': {entry.why}' if entry.why else ''}"
            for release in history.releases:
                if entry.covers(release.number):
                    yield Verdict(release.version, reason)


def is_entry(value: object) -> bool:
    """Whether *value* is one line of a block list."""
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not value.isprintable():
        return False
    try:
        return len(parse_list(value)) == 1
    except ValueError:
        return False


ENTRIES = list_of(
    simple(
        is_entry,
        "This must be a name, name@version or name@range, and the reason after #, such as axios@1.14.1 # hijacked.",
        {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
    ),
    most=MAX_ENTRIES,
    sentence=f"This must be a list of at most {MAX_ENTRIES} entries.",
)


@lru_cache(maxsize=64)
def _entries(lines: tuple[str, ...]) -> ListEntries:
    return parse_list("\n".join(lines))
