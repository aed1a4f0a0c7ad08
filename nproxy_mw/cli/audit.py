"""``nproxy-mw audit``: who did what, and whether the trail is whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding, NewerFinding
from nproxy_mw.audit.verify import IndexFinding, all_chains, verify
from nproxy_mw.cli.command import Command, Group, Parsed
from nproxy_mw.cli.files import read_json
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.stores import ACTOR, ONE_ORG, organization_of
from nproxy_mw.cli.terminal import count, print_table
from nproxy_mw.cli.values import moment, whole
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.trail_reports import newest_pages

MAX_EVENTS = 1_000_000  # in one listing; for more there is the export
MAX_WITNESS = 64 * 1024  # bytes

_TEXT = """\
The audit trail: every change of an organization, who made it, and the proof that nobody edited it since.

  nproxy-mw audit list --limit 20 --package @acme/utils
  nproxy-mw audit verify
  nproxy-mw audit export > trail.jsonl
"""
_LIST = """\
Shows events, newest first.

  nproxy-mw audit list --limit 20 --package @acme/utils
  nproxy-mw audit list --event token.created --by ann --from 7d
  nproxy-mw audit list --org system          administrators, and who signed in
"""
_VERIFY = """\
Looks for events that were edited, dropped or reordered; exit code 1 when something was found. Prints a checkpoint: kept
elsewhere, it is the witness that shows next time whether the end was cut off, checkpoints included.

  nproxy-mw audit verify > checkpoint.json
  nproxy-mw audit verify --witness checkpoint.json
"""
_EXPORT = """\
Prints every event, chain by chain, as JSON lines. What cannot be read is named at the end, and the exit code is 1.

  nproxy-mw audit export > trail.jsonl
"""


def _list(parsed: Parsed) -> int:
    pages = newest_pages(
        organization_of(parsed).trail,
        parsed.limit,
        event=parsed.event,
        package=parsed.package,
        by=parsed.by,
        since=vars(parsed)["from"],
        until=parsed.to,
    )
    rows = [
        (event["time"], event["event"], _subject(event), event.get("by", ""), event["ip"])
        for page in pages
        for event in page
    ]
    print_table(("TIME", "EVENT", "WHAT", "BY", "IP"), rows, empty="There are no such events.")
    return 0


def _verify(parsed: Parsed) -> int:
    organization = organization_of(parsed)
    checkpoints = Checkpoints(organization.storage, org=organization.id)
    keys = organization.keys.public_keys()
    found: list[CheckFinding] = []
    for finding in verify(
        organization.trail, all_chains(organization.trail), checkpoints, keys, witness=_witness(parsed.witness)
    ):
        print(finding)
        found.append(finding)
    if found:
        print(f"{_verdict(found)}: {count(len(found), 'finding')}.", file=sys.stderr)
        return 1
    checkpoints.take(all_chains(organization.trail), organization.keys.checkpoint_signer(actor=ACTOR))
    print("The audit trail is whole. Keep this line elsewhere, as a witness for the next time:", file=sys.stderr)
    print(orjson.dumps(checkpoints.newest()).decode())
    return 0


def _verdict(findings: Sequence[CheckFinding]) -> str:
    """Says what *findings* prove: only what differs from what was written is a reason to look for who did it."""
    if any(not isinstance(finding, IndexFinding | NewerFinding) for finding in findings):
        return "The audit trail is not as it was written"
    if any(isinstance(finding, NewerFinding) for finding in findings):
        return "Not all of the audit trail was verified; the rest is as it was written"
    return "The audit trail is as it was written, but not all of it is in its index"


def _export(parsed: Parsed) -> int:
    skipped: dict[str, int] = {}
    for chain, events in all_chains(organization_of(parsed).trail):
        for event in events:
            if isinstance(event, dict):
                sys.stdout.write(orjson.dumps({"chain": chain, **event}).decode() + "\n")
            else:
                skipped[chain] = skipped.get(chain, 0) + 1
    for chain, number in skipped.items():
        print(f"{chain}: {count(number, 'piece')} skipped, which 'nproxy-mw audit verify' explains.", file=sys.stderr)
    return 1 if skipped else 0


def _subject(event: Json) -> str:
    if "rule" in event:
        return " ".join(filter(None, (_flagged(event), f"({event['rule']})")))
    if "package" in event:
        return "@".join(filter(None, (event["package"], event.get("version"))))
    token = event.get("token")
    if token:
        return f"{token['name']} ({token['id']})"
    subject: Any = event.get("keyId") or event.get("new") or ""
    return subject if isinstance(subject, str) else orjson.dumps(subject).decode()


def _flagged(event: Json) -> str:
    """What an event of the rules is about: the newest version, or the first package, and how many more."""
    versions, packages = event.get("versions") or [], event.get("packages") or []
    first = "@".join([event["package"], *versions[-1:]]) if "package" in event else "".join(packages[:1])
    more = event.get("count", 0) - 1
    return f"{first} and {more:,} more" if first and more > 0 else first


def _witness(path: str | None) -> Json | None:
    if path is None:
        return None
    witness = read_json(Path(path), MAX_WITNESS)
    try:
        return {"number": int(witness["number"]), "hash": str(witness["hash"])}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not hold the line that 'nproxy-mw audit verify' printed.") from error


COMMAND = Group(
    "audit",
    _TEXT,
    (
        Command(
            "list",
            _list,
            _LIST,
            help="show events, newest first",
            options=(
                Option("limit", "at most so many", "N", parse=whole(1, MAX_EVENTS), default="50", group="audit"),
                Option("event", "of one kind, like package.published", "KIND", group="audit"),
                Option("package", "of one package", "NAME", group="audit"),
                Option("by", "of one actor, as the table names it", "NAME", group="audit"),
                Option("from", "a time, a day in UTC, or how long ago", "TIME", parse=moment, group="audit"),
                Option("to", "as --from", "TIME", parse=moment, otherwise="now", group="audit"),
                *ONE_ORG,
            ),
        ),
        Command(
            "verify",
            _verify,
            _VERIFY,
            help="look for what was edited, dropped or reordered",
            options=(
                Option("witness", "a checkpoint that an earlier run printed, kept elsewhere", "FILE", group="audit"),
                *ONE_ORG,
            ),
        ),
        Command("export", _export, _EXPORT, help="print every event as a JSON line", options=ONE_ORG),
    ),
)
