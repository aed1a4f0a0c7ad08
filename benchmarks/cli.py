"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from benchmarks.commands import corpus, listing, report, running, upstream
from benchmarks.errors import BenchmarkError

COMMANDS = (running, listing, corpus, upstream, report)
"""Each is a module with ``add_to(commands)``, which sets ``run`` on its parser."""

_DESCRIPTION = "nproxy_mw next to other npm registries and caches: one corpus, one run, alternating rounds."
_EPILOG = """\
start here:
  python -m benchmarks list                     what can be measured on this machine, and what is missing
  python -m benchmarks run --quick              three minutes; the page goes to .benchmarks/out/benchmarks.md
  python -m benchmarks run --quick --only hot --servers verdaccio,nproxy-mw-gunicorn
  python -m benchmarks run --out docs           everything, for docs/benchmarks.md

Everything listens on the loopback. Verdaccio comes from npm, with your npm and its settings. Nothing else is downloaded
by this program.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program. Returns its exit code: 0 done, 2 it could not be done as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    parsed = parser.parse_args(arguments)
    _end_cleanly()
    try:
        parsed.run(parsed)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _end_cleanly() -> None:
    """Makes SIGTERM and SIGHUP end every ``with`` block, and so every program that was started."""
    if sys.platform != "linux":
        raise SystemExit("The benchmarks read CPU time and memory as Linux tells them: run them on Linux.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)
