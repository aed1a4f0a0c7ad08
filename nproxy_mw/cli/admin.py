"""``nproxy-mw admin``: who may sign in to the management API of a standalone server, and use ``npm login``."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import ACTOR, UsageError, add_storage_option
from nproxy_mw.cli.stores import open_store

if TYPE_CHECKING:
    from nproxy_mw.accounts.administrators import AdministratorStore
    from nproxy_mw.cli.options import Commands

VARIABLE = "NPROXY_ADMIN_PASSWORD"
MAX_INPUT = 8192  # characters read from standard input: more than any password

_PASSWORD = f"""\
The password is asked for on a terminal; otherwise it is the variable {VARIABLE}, or else the first line of standard
input. It is never an argument: others on this machine can read those.
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its subcommands."""
    parser = commands.add_parser("admin", help="create, list and delete administrators", description=__doc__)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, run, what in (
        ("create", _create, "add one"),
        ("password", _password, "give one another password, which ends all their sessions"),
        ("list", _list, "show them all"),
        ("delete", _delete, "remove one, and end all their sessions"),
    ):
        verb = verbs.add_parser(name, help=what, description=_PASSWORD if run in (_create, _password) else None)
        if run is not _list:
            verb.add_argument("name", metavar="NAME", help="lower-case letters, digits, '.', '_' and '-'")
        verb.set_defaults(run=run)
        add_storage_option(verb)


def _create(parsed: argparse.Namespace) -> int:
    administrator = _administrators(parsed).create(parsed.name, ask_password(), actor=ACTOR)
    print(f"The administrator {administrator.name} can sign in.", file=sys.stderr)
    return 0


def _password(parsed: argparse.Namespace) -> int:
    _administrators(parsed).set_password(parsed.name, ask_password(), actor=ACTOR)
    print(f"The administrator {parsed.name} has a new password; all their sessions have ended.", file=sys.stderr)
    return 0


def _list(parsed: argparse.Namespace) -> int:
    for administrator in _administrators(parsed).list():
        print(administrator.name)
    return 0


def _delete(parsed: argparse.Namespace) -> int:
    _administrators(parsed).remove(parsed.name, actor=ACTOR)
    print(f"The administrator {parsed.name} is removed; their API tokens are not.", file=sys.stderr)
    return 0


def ask_password() -> str:
    """The password, from the variable, the terminal or standard input.

    Raises:
        UsageError: none is given, or it was typed in two ways.
    """
    given = os.environ.get(VARIABLE)
    if given is None and sys.stdin.isatty():
        given = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != given:
            raise UsageError("Those were two passwords: try again.")
    elif given is None:
        given = sys.stdin.readline(MAX_INPUT).rstrip("\r\n")
    if not given:
        raise UsageError(f"No password is given: type one, pipe one in, or set {VARIABLE}.")
    return given


def _administrators(parsed: argparse.Namespace) -> AdministratorStore:
    # Imported here because argon2 is an extra: the other commands do without it.
    from nproxy_mw.cli.accounts import administrators_of

    return administrators_of(open_store(parsed.storage))
