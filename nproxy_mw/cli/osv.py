"""``nproxy-mw osv``: the local database of OSV records, which the rules about malware and vulnerabilities read."""

from __future__ import annotations

import sys
from pathlib import Path

from nproxy_mw.cli.command import Command, Group, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.terminal import count, plain, print_table
from nproxy_mw.intelligence.osv_database import Summary, summary_of
from nproxy_mw.intelligence.osv_update import Report, update
from nproxy_mw.times import utc_now

_TEXT = """\
The rules 'malware' and 'vulnerability' read a local database of OSV records (https://ossf.github.io/osv-schema/). It is
one file per host, and servers notice a new one within seconds. No address is built in: --from names where the records
are, and later updates use the same place again.

  nproxy-mw osv update --from https://osv.example/npm
  nproxy-mw osv update --changes
  nproxy-mw osv status
"""
_UPDATE = """\
Builds a new database and puts it in the place of the present one when it is whole; a failed update changes nothing.

The place is the URL of OSV's archive for npm or of its folder, or a local archive, or a folder of records such as a
clone of an advisory database. A place that suddenly has less than half of the records is refused.

  nproxy-mw osv update --from https://osv.example/npm           fetches all.zip
  nproxy-mw osv update --changes                                fetches modified_id.csv, and what changed since
  nproxy-mw osv update --from all.zip --database /srv/osv.db
  nproxy-mw osv update --from advisory-database/advisories
"""
_STATUS = """\
Shows what the database has, from where, and how old it is. The exit code is 1 when there is none.

  nproxy-mw osv status
"""

DATABASE = Option("database", "the file of the database", "PATH", parse=Path, default="nproxy-osv.db", group="osv")
_FROM = Option(
    "from", "where the records are: a URL, a zip archive or a folder", "PLACE", default="", group="osv",
    otherwise="the place of the last update",
)  # fmt: skip
_CHANGES = Option("changes", "fetch only what changed since the last update; from a URL", group="osv")


def _update(parsed: Parsed) -> int:
    report = update(parsed.database, getattr(parsed, "from"), changes=parsed.changes, now=utc_now())
    print(plain(f"Read {count(report.changed, 'record')} from {report.summary.source}."))
    print(_content(report.summary))
    _complain(report)
    return 0


def _status(parsed: Parsed) -> int:
    summary = summary_of(parsed.database)
    if summary is None:
        print(f"There is no OSV database in {parsed.database}: run 'nproxy-mw osv update'.", file=sys.stderr)
        return 1
    rows = [("content", _content(summary)), ("built", summary.built), ("newest record", summary.newest)]
    print_table(("OSV DATABASE", str(parsed.database)), [*rows, ("from", summary.source)], empty="")
    return 0


def _content(summary: Summary) -> str:
    records, packages = count(summary.records, "record"), count(summary.packages, "package")
    return f"{records} about {packages}, {summary.malware:,} of them about malware"


def _complain(report: Report) -> None:
    if report.refused:
        print(f"{count(report.refused, 'record')} could not be used:", *report.examples, sep="\n  ", file=sys.stderr)


GROUP = Group(
    "osv",
    "update the database of vulnerabilities and malware",
    _TEXT,
    (
        Command(
            "update", "fetch records and build the database", _update, _UPDATE, options=(_FROM, _CHANGES, DATABASE)
        ),
        Command("status", "show what the database has", _status, _STATUS, options=(DATABASE,)),
    ),
)
