"""``list``: what can be measured on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchmarks.commands.places import add_work_option
from benchmarks.errors import CannotRun
from benchmarks.measures.catalog import all_measures
from benchmarks.servers.catalog import all_servers
from benchmarks.servers.port import Server

if TYPE_CHECKING:
    from benchmarks.commands import Commands


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "list", help="show servers and measures", description="Shows servers, with what is missing, and measures."
    )
    add_work_option(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Prints both. Servers are prepared, so the first time takes a moment."""
    print("Servers (--servers NAME,NAME):")
    for server in all_servers(parsed.work):
        print(f"  {server.name:22}{_state(server)}")
    print("\nMeasures (--only GROUP,GROUP):")
    for measure in all_measures():
        print(f"  {measure.group:10}{measure.text}{'' if measure.is_quick else ' (not in a quick run)'}")


def _state(server: Server) -> str:
    try:
        return server.prepare()
    except CannotRun as error:
        return f"- {error}"
