"""``nproxy-mw token``: API tokens for npm clients."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nproxy_mw.access import Grant
from nproxy_mw.cli.options import ACTOR, add_store_options, duration, organization_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.orgs.token_records import TokenRecord
from nproxy_mw.times import timestamp

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands


_CREATE = """\
Makes an API token and prints it alone on standard output; it is shown this once and never stored.

  nproxy-mw token create --scope proxy                        for installing: a CI job, a developer
  nproxy-mw token create --scope publish --expires-in 1d      for publishing only, for a day
  export NPROXY_TOKEN=$(nproxy-mw token create --scope proxy --scope publish)

In .npmrc:  //HOST/:_authToken=${NPROXY_TOKEN}
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its three subcommands."""
    parser = commands.add_parser(
        "token", help="create, list and revoke API tokens", description="API tokens for npm clients."
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    raw = argparse.RawDescriptionHelpFormatter
    create = verbs.add_parser("create", help="make a token", description=_CREATE, formatter_class=raw)
    create.add_argument(
        "--scope",
        action="append",
        choices=[grant.value for grant in Grant],
        required=True,
        help="what it may do: proxy reads, publish changes; repeat it for both",
    )
    create.add_argument("--name", default=_user(), help="what npm whoami will say (default: your user name)")
    create.add_argument("--expires-in", metavar="TIME", type=_lifetime, help="30m, 12h or 90d (default: never)")
    create.set_defaults(run=_create)
    listing = verbs.add_parser("list", help="show the tokens, without their secrets")
    listing.add_argument("--all", action="store_true", help="revoked ones too")
    listing.set_defaults(run=_list)
    revoke = verbs.add_parser("revoke", help="end a token for good")
    revoke.add_argument("id", metavar="ID", help="as token list shows it")
    revoke.set_defaults(run=_revoke)
    for verb in (create, listing, revoke):
        add_store_options(verb)


def _create(parsed: argparse.Namespace) -> int:
    expires_at = datetime.now(UTC) + parsed.expires_in if parsed.expires_in else None
    grants = [Grant(scope) for scope in parsed.scope]
    secret, record = organization_of(parsed, make=True).tokens.create(
        parsed.name, grants, expires_at=expires_at, actor=ACTOR
    )
    print(secret)
    print(f"Token {record.id} ({', '.join(sorted(grants))}): keep it, it is not shown again.", file=sys.stderr)
    return 0


def _list(parsed: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    rows = [
        (
            token.id,
            token.name,
            ",".join(sorted(token.grants)),
            timestamp(token.created_at),
            timestamp(token.expires_at) if token.expires_at else "never",
            timestamp(token.last_used_at) if token.last_used_at else "never",
            _state(token, now),
        )
        for token in organization_of(parsed).tokens.list(revoked=parsed.all)
    ]
    print_table(("ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "STATE"), rows)
    return 0


def _revoke(parsed: argparse.Namespace) -> int:
    organization_of(parsed).tokens.revoke(parsed.id, actor=ACTOR)
    print(f"Token {parsed.id} is revoked.", file=sys.stderr)
    return 0


def _state(token: TokenRecord, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.holds(now) else "expired"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "nproxy-mw"


def _lifetime(text: str) -> timedelta:
    time = duration(text)
    if not time:
        raise argparse.ArgumentTypeError("A token must be valid for some time: give 30m, 12h or 90d.")
    return time
