"""Where the benchmarks keep what they install, generate and store."""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).parents[2]


def add_work_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--work``."""
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / ".benchmarks",
        metavar="FOLDER",
        help="where Verdaccio, the corpus and all stores are kept (default: .benchmarks in the checkout)",
    )


def names(text: str) -> list[str]:
    """Returns the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
