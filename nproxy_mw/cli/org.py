"""``nproxy-mw org``: the organizations of a store."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import ACTOR, add_storage_option
from nproxy_mw.cli.stores import open_store
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.orgs.directory import OrganizationDirectory

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_CREATE = """\
Makes an organization. A server that runs with --orgs path or --orgs host:DOMAIN serves it at once.

  nproxy-mw org create acme --name "Acme Ltd"
  nproxy-mw settings set --org acme internalScopes=@acme
  nproxy-mw token create --org acme --scope proxy --scope publish
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its two subcommands."""
    parser = commands.add_parser("org", help="create and list organizations", description=__doc__)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    raw = argparse.RawDescriptionHelpFormatter
    create = verbs.add_parser("create", help="make one", description=_CREATE, formatter_class=raw)
    create.add_argument("id", metavar="ID", help="lower-case letters, digits and '-': it stands in URLs")
    create.add_argument("--name", help="what people call it (default: its id)")
    create.set_defaults(run=_create)
    listing = verbs.add_parser("list", help="show them all")
    listing.set_defaults(run=_list)
    for verb in (create, listing):
        add_storage_option(verb)


def _create(parsed: argparse.Namespace) -> int:
    made = OrganizationDirectory(open_store(parsed.storage)).create(parsed.id, parsed.name, actor=ACTOR)
    print(f"The organization {made.id} is there.", file=sys.stderr)
    return 0


def _list(parsed: argparse.Namespace) -> int:
    rows = [(one.id, one.name, one.created_at) for one in OrganizationDirectory(open_store(parsed.storage)).list()]
    print_table(("ID", "NAME", "CREATED"), rows)
    return 0
