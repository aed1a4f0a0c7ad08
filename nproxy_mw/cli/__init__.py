"""The program ``nproxy-mw``: one file per command. It composes what the library offers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from nproxy_mw import __version__
from nproxy_mw.cli import logs
from nproxy_mw.cli.command import Command, Group, Parsed, add_command, resolve, verbs_of
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.terminal import about_storage, survive_locale
from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.garbage import no_collection
from nproxy_mw.rules.values import InvalidFields

COMMANDS = {
    "serve": "run the registry",
    "token": "create, list and revoke API tokens",
    "org": "create and list organizations",
    "admin": "create, list and delete administrators",
    "settings": "show and change settings",
    "keys": "list and rotate signing keys",
    "verify": "check signatures and bytes of a package",
    "audit": "list, verify and export the audit trail",
    "explain": "say why a version is allowed or held",
    "exception": "let through what a rule holds, and answer requests for it",
    "installs": "show who fetched a package",
    "exposure": "show who fetched what a list or an advisory names",
    "replay": "show what other rules would have done",
    "osv": "update the database of vulnerabilities and malware",
    "cache": "show and clear what is kept of the upstream",
    "check": "verify everything that is stored",
    "gc": "remove leftovers",
    "copy": "move a store to another place or back end",
}
"""What each command does, in the order of the list. The module of its name in this package has it as ``COMMAND``. It is
imported when the command is called, because most commands need little of the library."""

_DESCRIPTION = "Private npm packages and the public registry behind one URL."
_EPILOG = """\
start here:
  nproxy-mw serve --scope @acme                               a registry for @acme/*, in ./nproxy-data
  nproxy-mw token create --scope proxy --scope publish        a token for npm

Each option can also be given as the variable that --help names in brackets, and those of 'serve' in a configuration
file. 'nproxy-mw COMMAND --help' has examples.
"""


CUT_OFF = 128 + 13
"""The exit code that a shell shows for a program whose reader went away, as in ``nproxy-mw audit export | head``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program. Returns its exit code: 0 done, 1 the answer is no, 2 not possible as asked."""
    survive_locale()
    try:
        try:
            return run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer would be written once more when the interpreter ends, with a traceback.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path, a device
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return CUT_OFF


def run(arguments: Sequence[str] | None) -> int:
    """Runs the program, and says what went wrong, in one line where it is one thing."""
    with no_collection():
        parsed = _parsed(sys.argv[1:] if arguments is None else arguments)
    logs.configure()
    try:
        parsed = resolve(parsed, _of_config_file)
        return int(parsed.command.run(parsed))
    except StorageUnavailable as error:
        where = f" {about_storage(parsed.storage, error)}" if hasattr(parsed, "storage") else ""
        print(f"nproxy-mw: {error}{where}", file=sys.stderr)
        return 2
    except InvalidFields as error:
        several = "\n  " if len(error.sentences) > 1 else " "
        print(several.join(["nproxy-mw: Nothing was changed.", *error.sentences]), file=sys.stderr)
        return 2
    except (UsageError, NproxyError) as error:
        print(f"nproxy-mw: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def command_named(name: str) -> Command | Group:
    """Returns the command *name* of `COMMANDS`, and imports what it needs."""
    command: Command | Group = import_module(f"{__name__}.{name}").COMMAND
    return command


def _parsed(arguments: Sequence[str]) -> Parsed:
    parser = argparse.ArgumentParser(
        prog="nproxy-mw",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"nproxy-mw {__version__}")
    verbs = verbs_of(parser)
    # The program itself has no options with a value: its first word that is no option is the command.
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, line in COMMANDS.items():
        if name == chosen:
            add_command(verbs, command_named(name), help=line)
        else:
            verbs.add_parser(name, help=line)
    return parser.parse_args(arguments)


def _of_config_file() -> Iterable[Option]:
    serve = command_named("serve")
    return serve.options if isinstance(serve, Command) else ()
