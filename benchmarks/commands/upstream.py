"""``upstream``: the replaying registry by itself; and its options, which ``run`` has too."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus.files import Corpus
from benchmarks.errors import CannotRun
from benchmarks.upstream.faults import Fault, Faults, parse_fault
from benchmarks.upstream.replies import Abilities, Replay
from benchmarks.upstream.server import REQUESTS, Upstream, serve

if TYPE_CHECKING:
    from benchmarks.commands import Commands

_HELP = f"""\
Serves a corpus as a registry, read only, until Ctrl-C. GET {REQUESTS} counts the requests
for each path, DELETE forgets them.

  python -m benchmarks upstream .benchmarks/corpus-160 --latency-ms 300
  python -m benchmarks upstream .benchmarks/corpus-160 --fault 503:10 --fault cut:7 --no-etag
"""
_MISSING = ("gzip", "etag", "abbreviated")


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "upstream",
        help="serve a corpus as a registry",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="the folder of a corpus")
    add_weather_options(parser)
    parser.set_defaults(run=run)


def add_weather_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that make the upstream slow, poor or broken."""
    weather = parser.add_argument_group("the upstream")
    weather.add_argument("--latency-ms", type=float, default=0, metavar="MS", help="wait so long before each reply")
    weather.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND:EVERY",
        help=f"spoil every so many-th object; KIND is one of {', '.join(fault.value for fault in Fault)}; repeatable",
    )
    for ability in _MISSING:
        weather.add_argument(f"--no-{ability}", action="store_true", help=f"offer no {ability} (form)")


def weather_of(parsed: argparse.Namespace) -> Sequence[str]:
    """Returns the same options as arguments for another process.

    Raises:
        CannotRun: a fault is not one.
    """
    _faults_of(parsed)
    missing = [f"--no-{ability}" for ability in _MISSING if getattr(parsed, f"no_{ability}")]
    faults = [part for fault in parsed.fault for part in ("--fault", fault)]
    return ["--latency-ms", str(parsed.latency_ms), *faults, *missing]


def run(parsed: argparse.Namespace) -> None:
    """Serves the corpus at its own origin.

    Raises:
        CannotRun: there is no corpus, a fault is not one, or the address is taken.
    """
    corpus = Corpus.load(parsed.corpus)
    abilities = Abilities(*(not getattr(parsed, f"no_{ability}") for ability in _MISSING))
    upstream = Upstream(Replay(corpus, abilities), _faults_of(parsed), parsed.latency_ms / 1000)
    print(f"Serving {len(corpus.packuments)} packages at {corpus.origin}", flush=True)
    try:
        asyncio.run(serve(upstream, *corpus.address))
    except OSError as error:
        raise CannotRun(f"{corpus.origin} cannot be used: {error.strerror}.") from error


def _faults_of(parsed: argparse.Namespace) -> Faults:
    try:
        return Faults([parse_fault(text) for text in parsed.fault])
    except ValueError as error:
        raise CannotRun(str(error)) from error
