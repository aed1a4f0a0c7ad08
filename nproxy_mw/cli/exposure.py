"""``nproxy-mw exposure``: who fetched anything of a list of bad versions, or of an advisory."""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.files import STDIN, read_file
from nproxy_mw.cli.installs import SPAN, fetched, print_installs
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import ONE_ORG, organization_of
from nproxy_mw.cli.terminal import count
from nproxy_mw.cli.upstreams import OSV
from nproxy_mw.copies import replace
from nproxy_mw.firewall.exposure import Suspects, suspects_by, suspects_in
from nproxy_mw.intelligence.lists import MAX_BYTES
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.port import IntelligenceUnavailable

_TEXT = """\
Answers "were we hit?": shows who fetched a version that a list or an advisory names. The exit code is 1 when somebody
did.

  nproxy-mw exposure incident.txt --from 2026-03-30
  nproxy-mw exposure MAL-2026-1234 --osv /srv/npm-osv.db
  curl -s https://intelligence.example/incident.txt | nproxy-mw exposure -

A list has one name, name@version or name@range a line, and after # any comment:

  left-padd                       # every version
  axios@1.14.1
  @scope/tool@>=2.0.0 <2.3.1

An advisory is looked up by its id (MAL-..., GHSA-...) in the database that 'nproxy-mw osv update' writes. How far back
an answer can go is up to the setting ledgerDays.
"""


def _run(parsed: Parsed) -> int:
    suspects = _listed(Path(parsed.what)) if _is_file(parsed.what) else _advised(parsed.what, parsed.osv)
    organization = organization_of(parsed)
    found = fetched(organization, parsed, suspects.covers)
    number = count(len(suspects.affected), "package")
    print_installs(organization, found, empty=f"Nobody fetched anything of {number} in it.")
    if found:
        print(f"{count(len(found), 'install')} {_by({one.key.token for one in found})}.", file=sys.stderr)
    return 1 if found else 0


def _by(tokens: AbstractSet[str]) -> str:
    known = tokens - {""}
    whom = [count(len(known), "token")] * bool(known) + ["callers without a token"] * (known != tokens)
    return f"by {' and '.join(whom)}"


def _is_file(text: str) -> bool:
    return Path(text) == STDIN or Path(text).is_file()


def _listed(path: Path) -> Suspects:
    try:
        suspects = suspects_in(read_file(path, MAX_BYTES).decode())
    except ValueError as error:  # a BadRequest, too
        raise UsageError(f"The file {path} is not a list of versions: {error}") from error
    if not suspects.affected:
        raise UsageError(f"The file {path} names no package.")
    return suspects


def _advised(advisory: str, database: str | None) -> Suspects:
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
    return suspects_by(found)


COMMAND = Command(
    "exposure",
    _run,
    _TEXT,
    arguments=(Argument("what", "FILE|ADVISORY", "a file, - for standard input, or an advisory's id"),),
    options=(*(replace(option, group="exposure") for option in SPAN), replace(OSV, section="options"), *ONE_ORG),
)
