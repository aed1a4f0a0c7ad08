"""``corpus``: makes what the upstream serves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus import recorded, synthetic
from benchmarks.errors import CannotRun
from benchmarks.facts import describe
from benchmarks.plan import FULL

if TYPE_CHECKING:
    from benchmarks.commands import Commands

_HELP = """\
Makes a corpus: generated, the same on every machine, or recorded from the cache of your own npm.

  python -m benchmarks corpus my-corpus                                  as large as a real tree
  python -m benchmarks corpus my-corpus --packages 200                   smaller
  npm install --cache my-cache --ignore-scripts                          (in your project)
  python -m benchmarks corpus my-corpus --from-npm-cache my-cache --project my-project
  python -m benchmarks run --corpus my-corpus
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "corpus",
        help="generate or record a corpus",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--packages", type=int, default=FULL.packages, metavar="N", help="how many are generated")
    parser.add_argument("--from-npm-cache", type=Path, metavar="CACHE", help="record this cache instead")
    parser.add_argument("--project", type=Path, metavar="FOLDER", help="the project that filled the cache")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Makes the corpus.

    Raises:
        CannotRun: the folder is not new, or what is to be recorded is not there.
    """
    if parsed.folder.exists():
        raise CannotRun(f"{parsed.folder} is there already: give a new folder.")
    if parsed.from_npm_cache and not parsed.project:
        raise CannotRun("Give the project that filled the cache, too: --project FOLDER.")
    if parsed.from_npm_cache:
        made = recorded.record(parsed.folder, parsed.from_npm_cache, parsed.project)
    else:
        made = synthetic.generate(parsed.folder, parsed.packages)
    print(f"{parsed.folder}: {describe(made)}")
