"""Any other registry, given by the command line that starts it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import CannotRun, MeasureFailed
from benchmarks.servers.accounts import new_token
from benchmarks.servers.port import Ability, Running, Start, started
from benchmarks.system.ports import free_port

PLACES = ("{port}", "{upstream}", "{storage}")
"""What a command line must or may name: the port to listen on, the upstream's URL, and an empty folder."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A registry that *command* keeps running in the foreground, on 127.0.0.1."""

    name: str
    command: str
    abilities: Ability = Ability.PROXY | Ability.INSTALL | Ability.PUBLISH

    def prepare(self) -> str:
        """Returns the command line."""
        return f"`{self.command}`"

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Runs it. It is measured at publishing if it lets ``npm adduser`` make a user."""
        port = free_port()
        storage = folder / "store"
        storage.mkdir()
        command = filled(self.command, port, upstream, storage)
        with started(Start(command, port), folder) as (url, pid, ready):
            token = _token(url)
            abilities = self.abilities if token else self.abilities & ~Ability.PUBLISH
            yield Running(self.name, url, pid, ready, abilities, write_token=token)


def parse_peer(text: str) -> Peer:
    """Returns the peer that ``NAME=COMMAND`` names.

    Raises:
        CannotRun: it names none, or no ``{port}`` to listen on.
    """
    name, _, command = text.partition("=")
    if not name.strip() or "{port}" not in command:
        raise CannotRun("A peer is NAME='command with {port} {upstream} {storage}'; it must name {port}.")
    return Peer(name.strip(), command.strip())


def filled(command: str, port: int, upstream: str, storage: Path) -> list[str]:
    """Returns the words of *command* with its places filled. Other braces stay as they are."""
    values = dict(zip(PLACES, (str(port), upstream, str(storage)), strict=True))
    return [_filled(word, values) for word in shlex.split(command)]


def _filled(word: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        word = word.replace(place, value)
    return word


def _token(url: str) -> str:
    try:
        return new_token(url)
    except MeasureFailed:
        return ""
