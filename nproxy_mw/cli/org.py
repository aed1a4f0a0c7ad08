"""``nproxy-mw org``: the organizations of a store."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import ACTOR, WHOLE_STORE, open_organizations
from nproxy_mw.cli.terminal import print_table

_TEXT = """\
The organizations of a store. Each has packages, tokens, settings, keys and an audit trail of its own.

  nproxy-mw org create acme --name "Acme Ltd"
  nproxy-mw org list
"""
_CREATE = """\
Creates an organization. A server that runs with --orgs path or --orgs host:DOMAIN serves it at once.

  nproxy-mw org create acme --name "Acme Ltd"
  nproxy-mw settings set --org acme internalScopes=@acme
  nproxy-mw token create --org acme --scope proxy --scope publish
"""
_LIST = """\
Shows all organizations, by id.

  nproxy-mw org list --storage s3://acme-npm
"""


def _create(parsed: Parsed) -> int:
    made = open_organizations(parsed.storage).directory.create(parsed.id, parsed.name, actor=ACTOR)
    print(f"The organization {made.id} is created.", file=sys.stderr)
    return 0


def _list(parsed: Parsed) -> int:
    rows = [(one.id, one.name, one.created_at) for one in open_organizations(parsed.storage).directory.list()]
    empty = "There are no organizations yet: create one with 'nproxy-mw org create ID'."
    print_table(("ID", "NAME", "CREATED"), rows, empty=empty)
    return 0


COMMAND = Group(
    "org",
    _TEXT,
    (
        Command(
            "create",
            _create,
            _CREATE,
            help="create one",
            arguments=(Argument("id", "ID", "lower-case letters, digits and '-': it stands in URLs"),),
            options=(Option("name", "what people call it", "NAME", otherwise="its id", group="org"), *WHOLE_STORE),
        ),
        Command("list", _list, _LIST, help="show them all", options=WHOLE_STORE),
    ),
)
