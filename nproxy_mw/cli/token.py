"""``nproxy-mw token``: API tokens for npm clients."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime

from nproxy_mw.access import Grant
from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import ACTOR, ONE_ORG, organization_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.cli.values import address_range, one_of, package_pattern, positive_duration
from nproxy_mw.orgs.token_records import TokenRecord
from nproxy_mw.restrictions import Restrictions
from nproxy_mw.times import timestamp

_TEXT = """\
API tokens for npm clients. A token with the scope proxy installs, one with publish publishes and unpublishes; neither
scope includes the other.

  nproxy-mw token create --scope proxy --scope publish
  nproxy-mw token list
  nproxy-mw token revoke 3f0c4e6a9b1d2c58
"""
_CREATE = """\
Creates an API token and prints it on standard output, alone. It is shown this once; only its hash is stored.

  nproxy-mw token create --scope proxy                        for installing: a CI job, a developer
  nproxy-mw token create --scope publish --expires-in 1d      for publishing only, for one day
  nproxy-mw token create --scope publish --packages '@acme/web-*' --addresses 10.0.0.0/8
  export NPROXY_TOKEN=$(nproxy-mw token create --scope proxy --scope publish)

In the .npmrc of a project, for npm:  //HOST/:_authToken=${NPROXY_TOKEN}
"""
_LIST = """\
Shows the tokens of an organization, newest first, without their secrets.

  nproxy-mw token list --all          revoked ones, too
"""
_REVOKE = """\
Ends a token for good, with its next request, in every running server.

  nproxy-mw token revoke 3f0c4e6a9b1d2c58
"""


def _create(parsed: Parsed) -> int:
    expires_at = datetime.now(UTC) + parsed.expires_in if parsed.expires_in else None
    grants = [Grant(scope) for scope in parsed.scope]
    secret, record = organization_of(parsed, make=True).tokens.create(
        parsed.name or _user(),
        grants,
        expires_at=expires_at,
        restrictions=Restrictions(parsed.packages, parsed.addresses),
        actor=ACTOR,
    )
    print(secret)
    print(f"Token {record.id} ({', '.join(sorted(grants))}): keep it, it is not shown again.", file=sys.stderr)
    return 0


def _list(parsed: Parsed) -> int:
    now, found = datetime.now(UTC), organization_of(parsed).tokens.listing(revoked=parsed.all)
    rows = [
        (
            token.id,
            token.name,
            ",".join(sorted(token.grants)),
            str(token.restrictions) or "-",
            timestamp(token.created_at),
            timestamp(token.expires_at) if token.expires_at else "never",
            timestamp(token.last_used_at) if token.last_used_at else "never",
            _state(token, now),
        )
        for token in found.tokens
    ]
    titles = ("ID", "NAME", "SCOPES", "ONLY FOR", "CREATED", "EXPIRES", "LAST USED", "STATE")
    print_table(titles, rows, empty="There are no tokens yet: create one with 'nproxy-mw token create'.")
    for one in found.unreadable:
        print(f"The record of token {one} is damaged: 'nproxy-mw check' says more.", file=sys.stderr)
    return 1 if found.unreadable else 0


def _revoke(parsed: Parsed) -> int:
    organization_of(parsed).tokens.revoke(parsed.id, actor=ACTOR)
    print(f"Token {parsed.id} is revoked.", file=sys.stderr)
    return 0


def _state(token: TokenRecord, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.is_valid(now) else "expired"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "nproxy-mw"


_CREATE_OPTIONS = (
    Option(
        "scope", "what it may do: proxy reads, publish changes; repeat it for both", "SCOPE",
        parse=one_of(*(grant.value for grant in Grant)), many=True, required=True, group="token",
    ),
    Option("name", "what npm whoami says", "NAME", otherwise="your user name", group="token"),
    Option(
        "expires-in", "30m, 12h or 90d", "TIME", parse=positive_duration, otherwise="never", group="token",
    ),
    Option(
        "packages", "internal packages it is for, like @acme, @acme/utils or '@acme/web-*'; repeat it", "PATTERN",
        parse=package_pattern, otherwise="all", many=True, group="token",
    ),
    Option(
        "addresses", "addresses it is used from, like 10.0.0.0/8 or 192.0.2.7; repeat it", "CIDR",
        parse=address_range, otherwise="all", many=True, group="token",
    ),
)  # fmt: skip

COMMAND = Group(
    "token",
    _TEXT,
    (
        Command("create", _create, _CREATE, help="create a token", options=(*_CREATE_OPTIONS, *ONE_ORG)),
        Command(
            "list",
            _list,
            _LIST,
            help="show the tokens, without their secrets",
            options=(Option("all", "show revoked ones, too", group="token"), *ONE_ORG),
        ),
        Command(
            "revoke",
            _revoke,
            _REVOKE,
            help="end a token for good",
            arguments=(Argument("id", "ID", "as token list shows it"),),
            options=ONE_ORG,
        ),
    ),
)
