"""``run``: measures, and writes the page."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.commands.places import add_work_option, names
from benchmarks.commands.upstream import add_weather_options, weather_of
from benchmarks.corpus import synthetic
from benchmarks.corpus.files import Corpus
from benchmarks.errors import CannotRun
from benchmarks.facts import facts
from benchmarks.load.choice import generator
from benchmarks.measures import catalog as measures
from benchmarks.plan import FULL, QUICK, Clock, Plan
from benchmarks.report import page
from benchmarks.results import Results
from benchmarks.run import Run
from benchmarks.servers import catalog as servers
from benchmarks.servers.port import Server
from benchmarks.upstream.process import running

if TYPE_CHECKING:
    from benchmarks.commands import Commands

_HELP = """\
Measures all servers that this machine has, in alternating rounds, and writes a page with tables and pictures. What is
missing is installed first (Verdaccio, from npm) or left out with a sentence (nginx, granian).

  python -m benchmarks run --quick
  python -m benchmarks run --quick --only hot,publish --servers verdaccio,nproxy-mw-gunicorn
  python -m benchmarks run --out docs
  python -m benchmarks run --latency-ms 300 --only tree
  python -m benchmarks run --peer other='other serve --port {port} --proxy {upstream} --data {storage}'

Leave the machine alone meanwhile. Compare CPU first: rates and times change with whatever else is running.
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "run", help="measure", description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three minutes: a small corpus, few rounds")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the page (default: out below --work)")
    parser.add_argument("--only", type=names, default=[], metavar="GROUPS", help="measure these groups, with commas")
    parser.add_argument("--servers", type=names, default=[], metavar="NAMES", help="measure these, with commas")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=COMMAND", help="another registry; repeatable"
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="a corpus of your own (default: generated)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of every measure")
    parser.add_argument("--seconds", type=float, metavar="S", help="seconds of load for each hot case")
    parser.add_argument("--budget", type=float, metavar="S", help="begin no measurement after so many seconds")
    add_work_option(parser)
    add_weather_options(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Measures, and writes the page.

    Raises:
        BenchmarkError: it cannot be done as asked.
    """
    plan, work = plan_of(parsed), parsed.work.resolve()
    out = (parsed.out or work / "out").resolve()
    wanted = measures.chosen(parsed.only, is_quick=plan.is_quick)
    weather, results = weather_of(parsed), _new_results(out)
    versions, ready = _prepared(servers.chosen(servers.all_servers(work, parsed.peer), parsed.servers), results)
    corpus = _corpus(parsed.corpus, work, plan)
    about = {**facts(corpus, generator()), "Upstream": " ".join(weather)}
    with _scratch(work / "run") as folder, running(corpus, folder / "upstream", weather) as upstream:
        session = Run(plan, corpus, upstream, generator(), folder, results, Clock(plan.budget), _say)
        session.measure(ready, wanted)
    about["Load average after"] = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    about["Time"] = f"{session.clock.elapsed():.0f} s"
    print(page.write(out, results, page.About(about, versions)))


def plan_of(parsed: argparse.Namespace) -> Plan:
    """Returns the plan with what the options change.

    Raises:
        CannotRun: a number is not positive.
    """
    plan = QUICK if parsed.quick else FULL
    given = {
        "rounds": parsed.rounds,
        "costly_rounds": parsed.rounds,
        "seconds": parsed.seconds,
        "budget": parsed.budget,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if any(value <= 0 for value in changes.values()):
        raise CannotRun("--rounds, --seconds and --budget take positive numbers.")
    return replace(plan, **changes)


def _prepared(wanted: Sequence[Server], results: Results) -> tuple[dict[str, str], list[Server]]:
    """Returns the versions of the servers that can run, and these servers; the others become remarks."""
    versions, ready = {}, []
    for server in wanted:
        try:
            versions[server.name] = server.prepare()
            ready.append(server)
        except CannotRun as error:
            results.remark(f"{server.name} was left out: {error}")
            _say(results.remarks[-1])
    if not ready:
        raise CannotRun("No server is left to be measured.")
    return versions, ready


def _corpus(given: Path | None, work: Path, plan: Plan) -> Corpus:
    if given:
        return Corpus.load(given)
    folder = work / f"corpus-{plan.packages}"
    try:
        return Corpus.load(folder)
    except CannotRun:
        _say(f"Generating a corpus of {plan.packages} packages.")
        return synthetic.generate(_emptied(folder), plan.packages)


def _new_results(out: Path) -> Results:
    folder = out / page.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / page.SAMPLES
    file.write_bytes(b"")
    return Results(file=file)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Makes an empty folder, and removes it with everything in it when the block ends."""
    try:
        yield _emptied(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
