"""``nproxy-mw admin``: who may sign in to the management API of a standalone server, and use ``npm login``."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from nproxy_mw.access import Role, User
from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.stores import ACTOR, WHOLE_STORE, open_organizations
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.cli.values import one_of

if TYPE_CHECKING:
    from nproxy_mw.accounts.administrators import AdministratorStore

VARIABLE = "NPROXY_ADMIN_PASSWORD"
MAX_INPUT = 8192  # characters read from standard input: more than any password

_TEXT = """\
Administrators sign in to the management API of a standalone server. With administrators there is npm login, too.

  nproxy-mw admin create ann
  nproxy-mw admin list
"""
_PASSWORD = f"""\
The password is asked for on a terminal. Otherwise it is the variable {VARIABLE}, or else the first line of
standard input. It is never an argument, because others on this machine can read those.
"""
_CREATE = f"""\
Adds an administrator, or a reader.

  nproxy-mw admin create ann                            a platform administrator
  nproxy-mw admin create bob --org acme                 an administrator of acme
  nproxy-mw admin create eve --role reader --org acme   sees packages and the audit trail of acme
  printf '%s\\n' "$PASSWORD" | nproxy-mw admin create ann

{_PASSWORD}"""
_ROLE = """\
Gives an account another role or other organizations, from its next request on.

  nproxy-mw admin role ann --role reader --org acme
  nproxy-mw admin role ann                              a platform administrator
"""
_CHANGE = f"""\
Gives an administrator another password, which ends all their sessions.

  nproxy-mw admin password ann

{_PASSWORD}"""
_LIST = """\
Shows the names of all administrators.

  nproxy-mw admin list
"""
_DELETE = """\
Removes an administrator and ends all their sessions. API tokens that they created stay: see 'nproxy-mw token list'.

  nproxy-mw admin delete ann
"""


def _create(parsed: Parsed) -> int:
    user = _administrators(parsed).create(
        parsed.name, ask_password(), role=parsed.role, organizations=parsed.org or None, actor=ACTOR
    )
    print(f"{user.name} can sign in as {described(user)}.", file=sys.stderr)
    return 0


def _role(parsed: Parsed) -> int:
    administrators = _administrators(parsed)
    administrators.set_access(parsed.name, role=parsed.role, organizations=parsed.org or None, actor=ACTOR)
    user = administrators.find(parsed.name)
    print(f"{parsed.name} is now {described(user) if user else 'removed'}.", file=sys.stderr)
    return 0


def _password(parsed: Parsed) -> int:
    _administrators(parsed).set_password(parsed.name, ask_password(), actor=ACTOR)
    print(f"The administrator {parsed.name} has a new password; all their sessions have ended.", file=sys.stderr)
    return 0


def _list(parsed: Parsed) -> int:
    users = _administrators(parsed).list()
    rows = [
        (user.name, user.role, ", ".join(sorted(user.organizations)) if user.organizations else "all") for user in users
    ]
    empty = "There are no administrators yet: create one with 'nproxy-mw admin create NAME'."
    print_table(("NAME", "ROLE", "ORGANIZATIONS"), rows, empty=empty)
    return 0


def _delete(parsed: Parsed) -> int:
    _administrators(parsed).remove(parsed.name, actor=ACTOR)
    print(f"The administrator {parsed.name} is removed; their API tokens are not.", file=sys.stderr)
    return 0


def described(user: User) -> str:
    """Returns what an account may do, for people to read."""
    if user.is_platform_administrator:
        return "a platform administrator"
    where = "all organizations" if user.organizations is None else ", ".join(sorted(user.organizations))
    return f"{'an administrator' if user.role is Role.ADMINISTRATOR else 'a reader'} of {where}"


def ask_password() -> str:
    """Returns the password, from the variable, the terminal or standard input.

    Raises:
        UsageError: none is given, or the two that were typed differ.
    """
    given = os.environ.get(VARIABLE)
    if given is None and sys.stdin.isatty():
        given = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != given:
            raise UsageError("Those were two different passwords: try again.")
    elif given is None:
        given = sys.stdin.readline(MAX_INPUT).rstrip("\r\n")
    if not given:
        raise UsageError(f"No password is given: type one, pipe one in, or set {VARIABLE}.")
    return given


def _administrators(parsed: Parsed) -> AdministratorStore:
    # Imported here because argon2 is an extra: the other commands do without it.
    try:
        from nproxy_mw.hosting.administration import administrators_of
    except ImportError as error:
        raise UsageError(str(error)) from error
    return administrators_of(open_organizations(parsed.storage).storage)


_ACCESS = (
    Option(
        "role", "administrator, or reader: sees packages and the audit trail, and changes nothing", "ROLE",
        parse=one_of(*(role.value for role in Role)), default=Role.ADMINISTRATOR.value, group="admin",
    ),
    Option(
        "org", "for this organization only; repeat it for several", "ID", many=True, group="admin",
        otherwise="all of them",
    ),
    *WHOLE_STORE,
)  # fmt: skip
_NAME = (Argument("name", "NAME", "lower-case letters, digits, '.', '_' and '-'"),)

COMMAND = Group(
    "admin",
    _TEXT,
    (
        Command("create", _create, _CREATE, help="add one", arguments=_NAME, options=_ACCESS),
        Command("role", _role, _ROLE, help="give one another role", arguments=_NAME, options=_ACCESS),
        Command("password", _password, _CHANGE, help="give one another password", arguments=_NAME, options=WHOLE_STORE),
        Command("list", _list, _LIST, help="show them all", options=WHOLE_STORE),
        Command(
            "delete",
            _delete,
            _DELETE,
            help="remove one, and end all their sessions",
            arguments=_NAME,
            options=WHOLE_STORE,
        ),
    ),
)
