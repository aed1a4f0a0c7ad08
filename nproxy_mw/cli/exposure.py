"""``nproxy-mw exposure``: who fetched anything of a list of bad versions, or of an advisory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.files import STDIN, read_file
from nproxy_mw.cli.installs import SPAN, fetched, print_installs
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import ONE_ORG, organization_of
from nproxy_mw.cli.terminal import count
from nproxy_mw.cli.upstreams import OSV
from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.lists import MAX_BYTES, ListEntry, parse_list
from nproxy_mw.intelligence.osv_affected import matcher
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.port import IntelligenceUnavailable
from nproxy_mw.ledger.facts import InstallKey
from nproxy_mw.npm.versions import parse_loose

_TEXT = """\
Answers "were we hit?": shows who fetched a version that a list or an advisory names. The exit code is 1 when somebody
did.

  nproxy-mw exposure incident.txt --from 2026-03-30
  nproxy-mw exposure MAL-2026-1234 --osv /srv/npm-osv.db
  curl -s https://intelligence.example/incident.txt | nproxy-mw exposure -

A list has one name, name@version or name@range a line, and behind # what one likes:

  left-padd                       # every version
  axios@1.14.1
  @scope/tool@>=2.0.0 <2.3.1

An advisory is looked up by its id (MAL-..., GHSA-...) in the database that 'nproxy-mw osv update' writes. How far back
an answer can go is up to the setting ledgerDays.
"""

_Affects = Mapping[str, Sequence[Callable[[str], bool]]]
"""What is asked about, by package: each tells of a version whether it is affected."""


def _run(parsed: Parsed) -> int:
    affects = _listed(Path(parsed.what)) if _is_file(parsed.what) else _advised(parsed.what, parsed.osv)
    organization = organization_of(parsed)

    def is_affected(key: InstallKey) -> bool:
        return any(affected(key.version) for affected in affects.get(key.package, ()))

    found = fetched(organization, parsed, is_affected)
    print_installs(organization, found, empty=f"Nobody fetched anything of {count(len(affects), 'package')} in it.")
    if found:
        tokens = {one.key.token for one in found}
        print(f"{count(len(found), 'install')} by {count(len(tokens), 'token')}.", file=sys.stderr)
    return 1 if found else 0


def _is_file(text: str) -> bool:
    return Path(text) == STDIN or Path(text).is_file()


def _listed(path: Path) -> _Affects:
    try:
        entries = parse_list(read_file(path, MAX_BYTES).decode())
    except ValueError as error:
        raise UsageError(f"The file {path} is not a list of versions: {error}") from error
    if not entries:
        raise UsageError(f"The file {path} names no package.")
    return {name: list(map(_by_line, found)) for name, found in entries.items()}


def _advised(advisory: str, database: str | None) -> _Affects:
    if database is None:
        raise UsageError(
            f"There is no file {advisory}. If it is an advisory's id, name the database of advisories with --osv."
        )
    try:
        found = OsvDatabase(Path(database)).by_id(advisory)
    except IntelligenceUnavailable as error:
        raise UsageError(str(error)) from error
    if not found:
        raise UsageError(f"There is no file {advisory}, and no advisory of that id about an npm package in {database}.")
    affects: dict[str, list[Callable[[str], bool]]] = {}
    for one in found:
        affects.setdefault(one.package, []).append(_by_advisory(one))
    return affects


def _by_line(line: ListEntry) -> Callable[[str], bool]:
    return lambda version: line.covers(parse_loose(version))


def _by_advisory(advisory: Advisory) -> Callable[[str], bool]:
    is_affected = matcher(advisory)
    return lambda version: is_affected(version, None)


COMMAND = Command(
    "exposure",
    "show who fetched what a list or an advisory names",
    _run,
    _TEXT,
    arguments=(Argument("what", "FILE|ADVISORY", "a file, - for standard input, or an advisory's id"),),
    options=(*(replace(option, group="exposure") for option in SPAN), replace(OSV, section="options"), *ONE_ORG),
)
