"""``nproxy-mw osv``: the database of vulnerabilities and malware that the security rules look into."""

from __future__ import annotations

import sys
from pathlib import Path

from nproxy_mw.cli.command import Command, Group, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import CONFIG
from nproxy_mw.cli.terminal import count, plain
from nproxy_mw.cli.upstreams import OSV
from nproxy_mw.copies import replace
from nproxy_mw.intelligence.osv_database import Summary, summary_of
from nproxy_mw.intelligence.osv_update import update
from nproxy_mw.times import utc_now

_TEXT = """\
The database of what OSV (https://osv.dev) knows about npm packages: malware and vulnerabilities. Servers that were
started with --osv read it, and see an update within seconds.

  nproxy-mw osv update --osv /srv/npm-osv.db --source https://osv.example/npm/all.zip
  nproxy-mw osv status --osv /srv/npm-osv.db
"""
_UPDATE = """\
Makes the database new and swaps it in whole. An update that fails leaves the present one as it is, and so does a source
that has less than half of its records.

  nproxy-mw osv update --osv /srv/npm-osv.db --source https://osv.example/npm/all.zip
  nproxy-mw osv update --osv /srv/npm-osv.db --source all.zip          an archive that was carried here
  nproxy-mw osv update --osv /srv/npm-osv.db --source records/         a folder of records
  nproxy-mw osv update --osv /srv/npm-osv.db --changes                 what changed since, from the same place

Run it once an hour with --changes, say, and once a week without.
"""
_STATUS = """\
Shows what the database holds, and from when. The exit code is 1 when there is none, or none that can be read.

  nproxy-mw osv status --osv /srv/npm-osv.db
"""


def _update(parsed: Parsed) -> int:
    report = update(Path(parsed.osv), parsed.source or "", changes=parsed.changes, now=utc_now())
    for example in report.examples:
        print(plain(f"Left out: {example}"), file=sys.stderr)
    print(f"{count(report.changed, 'record')} read, {report.refused:,} left out.", file=sys.stderr)
    _print(report.summary)
    return 0


def _status(parsed: Parsed) -> int:
    summary = summary_of(Path(parsed.osv))
    if summary is None:
        print(f"There is no database that can be read at {parsed.osv}: run 'nproxy-mw osv update'.", file=sys.stderr)
        return 1
    _print(summary)
    return 0


def _print(summary: Summary) -> None:
    held = f"{count(summary.records, 'record')} about {count(summary.packages, 'package')}"
    print(f"{held}, {summary.malware:,} of them malware")
    print(f"updated {summary.built}, newest record {summary.newest}")
    print(plain(f"from {summary.source}"))


_FILE = replace(OSV, required=True, section="options")

COMMAND = Group(
    "osv",
    _TEXT,
    (
        Command(
            "update",
            _update,
            _UPDATE,
            help="make it new",
            options=(
                Option("source", "a URL, an archive or a folder", "PLACE", quoted=False,
                       otherwise="where the present database came from", group="osv"),
                Option("changes", "fetch only what changed since the last update", group="osv"),
                _FILE,
                CONFIG,
            ),
        ),
        Command("status", _status, _STATUS, help="show what it holds", options=(_FILE, CONFIG)),
    ),
)  # fmt: skip
