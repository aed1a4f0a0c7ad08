"""``nproxy-mw keys``: the keys that versions are signed with."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import ACTOR, add_store_options, organization_of
from nproxy_mw.cli.terminal import print_table

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Each version is signed with two keys of the organization: ECDSA P-256, which npm audit signatures verifies, and Ed25519,
which nproxy-mw verify does too. They are made at the first publish. With NPROXY_SEAL_KEY (32 bytes in hex or base64) in
the environment of the server and of this program, private keys are stored sealed.

  nproxy-mw keys list
  nproxy-mw keys rotate         new keys sign from now on; what the old ones signed stays valid
  nproxy-mw keys backfill       signs versions that have no signature
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its three subcommands."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("keys", help="list and rotate signing keys", description=_HELP, formatter_class=raw)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text, run in (
        ("list", "show the public keys", _list),
        ("rotate", "make new keys", _rotate),
        ("backfill", "sign what is not signed yet", _backfill),
    ):
        verb = verbs.add_parser(name, help=text)
        add_store_options(verb)
        verb.set_defaults(run=run)


def _list(parsed: argparse.Namespace) -> int:
    keys = organization_of(parsed).keys.public_keys()
    rows = [(key["keyid"], key["keytype"], key["expires"] or "never", key["key"]) for key in keys]
    print_table(("KEY ID", "KIND", "EXPIRES", "PUBLIC KEY"), rows)
    return 0


def _rotate(parsed: argparse.Namespace) -> int:
    for signer in organization_of(parsed).keys.rotate(actor=ACTOR):
        print(f"{signer.key_id} ({signer.algorithm}) signs from now on.")
    return 0


def _backfill(parsed: argparse.Namespace) -> int:
    packages = organization_of(parsed).packages
    signed = 0
    for name in packages.names():
        for version in packages.sign(name, ACTOR):
            print(f"{name}@{version}")
            signed += 1
    print(f"Signed {signed} versions.", file=sys.stderr)
    return 0
