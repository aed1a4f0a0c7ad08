"""``report``: writes the page of an earlier run once more."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import CannotRun
from benchmarks.report import page

if TYPE_CHECKING:
    from benchmarks.commands import Commands


def add_to(commands: Commands) -> None:
    """Adds the command."""
    text = "Writes the page and the pictures of an earlier run once more, from its samples."
    parser = commands.add_parser("report", help="write the page of an earlier run again", description=text)
    parser.add_argument("out", type=Path, metavar="FOLDER", help="what --out of that run was")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Writes the page.

    Raises:
        BenchmarkError: there are no samples, or they are of another version.
    """
    try:
        results, about = page.read(parsed.out)
    except OSError as error:
        raise CannotRun(f"{parsed.out} holds no results of a run: {error.strerror}.") from error
    print(page.write(parsed.out, results, about))
