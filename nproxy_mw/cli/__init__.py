"""The program ``nproxy-mw``: one file per command. Beside the house: it composes what the library offers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nproxy_mw import __version__
from nproxy_mw.cli import admin, audit, check, copy, gc, keys, org, serve, settings, token, verify
from nproxy_mw.cli.options import UsageError
from nproxy_mw.errors import NproxyError, StorageUnavailable

COMMANDS = (serve, token, org, admin, settings, keys, verify, audit, check, gc, copy)
"""Each is a module with ``add_to(commands)``, which sets ``run`` on its parsers."""

_DESCRIPTION = "Private npm packages beside the public registry, behind one URL."
_EPILOG = """\
start here:
  nproxy-mw serve --scope @acme                               a registry for @acme/*, in ./nproxy-data
  nproxy-mw token create --scope proxy --scope publish        a token for .npmrc

Every option can also be given as a variable: --storage is NPROXY_STORAGE, and so on.
"""


CUT_OFF = 128 + 13
"""What a shell says of a program that wrote to a pipe whose reader was gone, as ``nproxy-mw audit export | head``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program. Answers its exit code: 0 done, 1 the answer is no, 2 it could not be done as asked."""
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
    """Runs the program, and says in one line what went wrong."""
    parser = argparse.ArgumentParser(
        prog="nproxy-mw", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"nproxy-mw {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    try:
        parsed = parser.parse_args(arguments)
        return int(parsed.run(parsed))
    except StorageUnavailable as error:
        print(f"nproxy-mw: {error}{_about_storage(parsed, error)}", file=sys.stderr)
        return 2
    except (UsageError, NproxyError) as error:
        print(f"nproxy-mw: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _about_storage(parsed: argparse.Namespace, error: StorageUnavailable) -> str:
    """Which storage it is, and what the system says of it."""
    if not hasattr(parsed, "storage"):
        return ""
    reason = getattr(error.__cause__, "strerror", None)
    return f" It is {parsed.storage}{f' ({reason})' if reason else ''}: give another place with --storage."
