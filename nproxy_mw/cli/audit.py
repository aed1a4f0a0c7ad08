"""``nproxy-mw audit``: who did what, and whether the trail is whole."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.index import MAX_LIMIT
from nproxy_mw.audit.verify import all_chains, verify
from nproxy_mw.cli.options import ACTOR, UsageError, add_store_options, organization_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.organization import Organization

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
  nproxy-mw audit list --limit 20 --package @acme/utils     newest first
  nproxy-mw audit verify                                    exit code 1 when anything was edited, dropped or reordered
  nproxy-mw audit verify --witness checkpoint.json          also when the end was cut off, checkpoints and all
  nproxy-mw audit export > trail.jsonl                      every event, chain by chain, as JSON lines
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its three subcommands."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "audit", help="list, verify and export the audit trail", description=_HELP, formatter_class=raw
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = verbs.add_parser("list", help="show events, newest first")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
    listing.add_argument("--event", metavar="KIND", help="of one kind, like package.published")
    listing.add_argument("--package", metavar="NAME", help="of one package")
    listing.set_defaults(run=_list)
    check = verbs.add_parser("verify", help="look for what was edited, dropped or reordered")
    check.add_argument(
        "--witness", type=Path, metavar="FILE", help="a checkpoint line that an earlier run printed, kept elsewhere"
    )
    check.set_defaults(run=_verify)
    export = verbs.add_parser("export", help="print every event as a JSON line")
    export.set_defaults(run=_export)
    for verb in (listing, check, export):
        add_store_options(verb)


def _list(parsed: argparse.Namespace) -> int:
    titles = ("TIME", "EVENT", "WHAT", "BY", "IP")
    rows = [
        (event["time"], event["event"], _subject(event), event.get("by", ""), event["ip"])
        for event in _newest(organization_of(parsed), parsed)
    ]
    print_table(titles, rows)
    return 0


def _newest(organization: Organization, parsed: argparse.Namespace) -> Iterator[Json]:
    wanted, cursor = parsed.limit, None
    while wanted > 0:
        page, cursor = organization.trail.page(
            after=cursor, limit=min(wanted, MAX_LIMIT), event=parsed.event, package=parsed.package
        )
        yield from page
        wanted -= len(page)
        if cursor is None:
            return


def _verify(parsed: argparse.Namespace) -> int:
    organization = organization_of(parsed)
    checkpoints = Checkpoints(organization.storage, org=organization.id)
    keys = organization.keys.public_keys()
    found = 0
    for finding in verify(
        organization.trail, all_chains(organization.trail), checkpoints, keys, witness=_witness(parsed.witness)
    ):
        print(finding)
        found += 1
    if found:
        print(f"The audit trail is not as it was written: {found} findings.", file=sys.stderr)
        return 1
    checkpoints.take(all_chains(organization.trail), organization.keys.checkpoint_signer(actor=ACTOR))
    print("The audit trail is whole. Keep this line elsewhere, as a witness for the next time:", file=sys.stderr)
    print(orjson.dumps(checkpoints.newest()).decode())
    return 0


def _export(parsed: argparse.Namespace) -> int:
    for chain, events in all_chains(organization_of(parsed).trail):
        for event in events:
            sys.stdout.write(
                orjson.dumps({"chain": chain, **(event if isinstance(event, dict) else {})}).decode() + "\n"
            )
    return 0


def _subject(event: Json) -> str:
    if "package" in event:
        return "@".join(filter(None, (event["package"], event.get("version"))))
    token = event.get("token")
    if token:
        return f"{token['name']} ({token['id']})"
    subject: Any = event.get("keyId") or event.get("new") or ""
    return subject if isinstance(subject, str) else orjson.dumps(subject).decode()


def _witness(path: Path | None) -> Json | None:
    if path is None:
        return None
    try:
        witness: Json = orjson.loads(path.read_bytes())
        return {"number": int(witness["number"]), "hash": str(witness["hash"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not hold the line that 'nproxy-mw audit verify' printed.") from error
