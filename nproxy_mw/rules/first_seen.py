"""first_seen: every version of a package whose name is new to the upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict
from nproxy_mw.rules.wording import counted, later

_TIMELESS = "the upstream does not say when the package was created"


class FirstSeen:
    """Flags a package created less than ``days`` ago. Without ``time.created``, its earliest version stands in.

    With 0 days it flags nothing.
    """

    id = "first_seen"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict for all versions or for none; ``unknown`` decides when there is no time at all."""
        days = parameters["days"]
        if not days or not history.releases:
            return
        created = history.created or min((one.published for one in history.releases if one.published), default=None)
        if created is None:
            yield CannotTell(_TIMELESS)
            if parameters["unknown"] == "block":
                yield from (Verdict(release.version, _TIMELESS) for release in history.releases)
        elif created > knowledge.now - timedelta(days=days):
            reason = f"the package is new: its name appeared less than {counted(days, 'day')} ago"
            until = later(created, timedelta(days=days))
            yield from (Verdict(release.version, reason, until) for release in history.releases)
