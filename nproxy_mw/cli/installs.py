"""``nproxy-mw installs``: who fetched a package, when, and how often."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.specifiers import parse_specifier
from nproxy_mw.cli.stores import ONE_ORG, organization_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.cli.values import moment
from nproxy_mw.ledger.facts import Install, InstallKey
from nproxy_mw.ledger.query import find
from nproxy_mw.ledger.wanted import wanted
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.times import timestamp, utc_now

MAX_ROWS = 100_000
"""Installs that one answer shows."""

_TEXT = """\
Shows who fetched a package, internal or of the upstream: which version, by which token and from which address, first
and last on each day, and how often. A server writes down what it served every five seconds.

  nproxy-mw installs axios@1.14.1
  nproxy-mw installs 'axios@>=1.14.1 <1.14.4' --from 2026-03-31T00:21:00Z --to 2026-03-31T04:00:00Z
  nproxy-mw installs @acme/utils --from 7d
"""


def _run(parsed: Parsed) -> int:
    name, versions = parse_specifier(parsed.package)
    organization = organization_of(parsed)
    found = fetched(organization, parsed, wanted(package=str(name), versions=versions))
    print_installs(organization, found, empty=f"Nobody fetched {parsed.package} in this time.")
    return 0


def fetched(organization: Organization, parsed: Parsed, is_wanted: Callable[[InstallKey], bool]) -> list[Install]:
    """Returns the installs between ``--from`` and ``--to`` for which *is_wanted* holds, oldest day first."""
    since, until = span_of(parsed)
    found = list(islice(find(organization.storage, since, until, is_wanted), MAX_ROWS + 1))
    if len(found) > MAX_ROWS:
        print(f"These are the first {MAX_ROWS:,} only: ask for less at once, with --from and --to.", file=sys.stderr)
    return found[:MAX_ROWS]


def span_of(parsed: Parsed) -> tuple[datetime, datetime]:
    """Returns ``--from`` and ``--to``. Raises `UsageError` when they do not follow each other."""
    since, until = vars(parsed)["from"], parsed.to or utc_now()
    if since > until:
        raise UsageError("--from is later than --to: give them the other way round.")
    return since, until


def print_installs(organization: Organization, found: Iterable[Install], *, empty: str) -> None:
    """Prints installs as a table, with the names of tokens."""
    names = {token.id: token.name for token in organization.tokens.list(revoked=True)}
    rows = [
        (
            f"{one.key.package}@{one.key.version}",
            timestamp(one.first),
            timestamp(one.last),
            str(one.times),
            f"{names[one.key.token]} ({one.key.token})" if one.key.token in names else one.key.token or "none",
            one.key.ip,
        )
        for one in found
    ]
    print_table(("PACKAGE", "FIRST", "LAST", "TIMES", "TOKEN", "ADDRESS"), rows, empty=empty)


SPAN = (
    Option("from", "a time, a day in UTC, or how long ago", "TIME", parse=moment, default="90d", group="installs"),
    Option("to", "as --from", "TIME", parse=moment, otherwise="now", group="installs"),
)

COMMAND = Command(
    "installs",
    _run,
    _TEXT,
    arguments=(Argument("package", "NAME[@RANGE]", "a package, and perhaps a version or a range of them"),),
    options=(*SPAN, *ONE_ORG),
)
