"""``nproxy-mw keys``: the keys that versions are signed with."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Command, Group, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.stores import ACTOR, ONE_ORG, organization_of
from nproxy_mw.cli.terminal import count, print_table

_TEXT = """\
Each version is signed with two keys of the organization: ECDSA P-256, which npm audit signatures verifies, and Ed25519,
which nproxy-mw verify checks, too. They are created at the first publish. With NPROXY_SEAL_KEY (32 bytes in hex or
base64) in the environment of the server and of this program, private keys are stored sealed.

  nproxy-mw keys list
  nproxy-mw keys rotate
  nproxy-mw keys backfill
"""
_LIST = """\
Shows the public keys, the newest first.

  nproxy-mw keys list --org acme
"""
_ROTATE = """\
Creates new keys. They sign from now on; what the old ones signed stays valid. Where keys are sealed, NPROXY_SEAL_KEY
must be set, or the new ones would not be.

  nproxy-mw keys rotate
  NPROXY_SEAL_KEY=NEW nproxy-mw keys rotate       when the old seal key is lost, or known to others
  nproxy-mw keys rotate --unseal                  stores them unsealed: start the servers without NPROXY_SEAL_KEY then
"""
_BACKFILL = """\
Signs versions that have no signature, as after the move from another registry.

  nproxy-mw keys backfill
"""


def _list(parsed: Parsed) -> int:
    keys = organization_of(parsed).keys.public_keys()
    rows = [(key["keyid"], key["keytype"], key["expires"] or "never", key["key"]) for key in keys]
    empty = "There are no keys yet: the first publish creates them."
    print_table(("KEY ID", "KIND", "EXPIRES", "PUBLIC KEY"), rows, empty=empty)
    return 0


def _rotate(parsed: Parsed) -> int:
    if parsed.unseal and parsed.seal_key:
        raise UsageError("--unseal contradicts the seal key that is given: leave out one of them.")
    for signer in organization_of(parsed).keys.rotate(unseal=parsed.unseal, actor=ACTOR):
        print(f"{signer.key_id} ({signer.algorithm}) signs from now on.")
    return 0


def _backfill(parsed: Parsed) -> int:
    packages = organization_of(parsed).packages
    signed = 0
    for name in packages.names():
        for version in packages.sign(name, ACTOR):
            print(f"{name}@{version}")
            signed += 1
    print(f"Signed {count(signed, 'version')}.", file=sys.stderr)
    return 0


COMMAND = Group(
    "keys",
    _TEXT,
    (
        Command("list", _list, _LIST, help="show the public keys", options=ONE_ORG),
        Command(
            "rotate",
            _rotate,
            _ROTATE,
            help="create new keys",
            options=(Option("unseal", "store keys unsealed that were sealed", group="keys"), *ONE_ORG),
        ),
        Command("backfill", _backfill, _BACKFILL, help="sign what is not signed yet", options=ONE_ORG),
    ),
)
