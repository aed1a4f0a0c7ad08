"""``nproxy-mw replay``: what other rules would have done to what was fetched."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from nproxy_mw.cli.command import Command, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.settings_file import read_settings
from nproxy_mw.cli.stores import ACTOR, organization_of
from nproxy_mw.cli.terminal import count, print_table
from nproxy_mw.cli.upstreams import OF_RULES, firewall_of
from nproxy_mw.cli.values import positive_duration
from nproxy_mw.firewall.preview import fetched_versions, preview
from nproxy_mw.times import utc_now

_TEXT = """\
Shows which versions would be held, warned of or allowed otherwise under the rules of a file, among the packages of the
upstream that were fetched lately. Nothing is changed. The exit code is 1 when something would be otherwise.

  nproxy-mw replay --rules stricter.toml
  nproxy-mw replay --rules stricter.toml --since 7d --offline

The file is one for 'nproxy-mw settings apply'; what it does not name is as it is now. The column FETCHED counts how
often a version was fetched in that time: a version with a count and the word 'held' would have been missed.

A version that was fetched is judged by the facts of its first fetch in that time, which the column FACTS OF gives:
by the versions and advisories that had been published then, and by the ages of then. Other versions are judged by the
facts of today. What has no date is always today's: exceptions, removed versions, tarballs that contradict their
manifest.
"""


def _run(parsed: Parsed) -> int:
    organization = organization_of(parsed)
    store = organization.settings
    now = utc_now()
    before = store.get()
    after = before.changed(read_settings(Path(parsed.rules)), author=ACTOR.name, now=now, catalog=store.catalog)
    fetched = fetched_versions(organization.storage, now - parsed.since, now)
    found = preview(firewall_of(parsed, organization), fetched, before, after)
    rows = [
        (change.package, change.version, change.before, change.after, str(times) if times else "",
         f"{change.at:%Y-%m-%d}" if change.at else "today",
         "; ".join(f"{rule}: {reason}" for rule, reason in change.rules.items()))
        for change, times in found.changes
    ]  # fmt: skip
    print(f"{count(found.total, 'package')} looked at.", file=sys.stderr)
    print_table(
        ("PACKAGE", "VERSION", "NOW", "THEN", "FETCHED", "FACTS OF", "RULES"), rows, empty="Nothing would change."
    )
    return 1 if rows else 0


def _span(text: str) -> timedelta:
    span = positive_duration(text)
    if span > timedelta(days=3650):
        raise ValueError("is more than 3650d")
    return span


COMMAND = Command(
    "replay",
    _run,
    _TEXT,
    options=(
        Option("rules", "the settings to try, as TOML or JSON", "FILE", required=True, group="replay"),
        Option("since", "how far back fetched packages are looked for", "TIME", parse=_span, default="30d",
               group="replay"),
        *OF_RULES,
    ),
)  # fmt: skip
