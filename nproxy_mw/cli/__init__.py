"""The program ``nproxy-mw``: one file per command. It composes what the library offers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nproxy_mw import __version__
from nproxy_mw.cli import (
    admin,
    audit,
    cache,
    check,
    copy,
    explain,
    exposure,
    gc,
    installs,
    keys,
    logs,
    org,
    osv,
    replay,
    serve,
    settings,
    token,
    verify,
)
from nproxy_mw.cli.command import Command, Group, add_commands, resolve
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import about_storage
from nproxy_mw.cli.terminal import survive_locale
from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.rules.values import InvalidFields

COMMANDS: tuple[Command | Group, ...] = (
    serve.COMMAND,
    token.GROUP,
    org.GROUP,
    admin.GROUP,
    settings.GROUP,
    keys.GROUP,
    verify.COMMAND,
    audit.GROUP,
    explain.COMMAND,
    installs.COMMAND,
    exposure.COMMAND,
    replay.COMMAND,
    osv.GROUP,
    cache.GROUP,
    check.COMMAND,
    gc.COMMAND,
    copy.COMMAND,
)

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
    parser = argparse.ArgumentParser(
        prog="nproxy-mw",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nproxy-mw {__version__}")
    add_commands(parser, COMMANDS)
    parsed = parser.parse_args(arguments)
    logs.configure()
    try:
        parsed = resolve(parsed, serve.OPTIONS)
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
