"""Kills a process at each of a command's operations in turn: ``killed_command.py PREFIX COMMAND CONTENTS [small]``.

The store of the n-th lies at PREFIX/n, filled from the folder CONTENTS. With ``small``, nearly every change writes a
part of a record. Prints how many were killed.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from nproxy_mw.packages import records
from nproxy_mw.storage import open_storage
from nproxy_mw.testing.faults import Faulty
from support.commands import COMMANDS, opened
from support.packages import SMALL


def survives(url: str, command: str, contents: str, at: int) -> bool:
    """Lets a child fill a store and carry out the command on it, and be killed at its operation *at*."""
    child = os.fork()
    if child == 0:
        # Nothing of a storage was opened before the fork: the child is like a process of its own.
        storage = open_storage(url, freshness=0)
        source = open_storage(contents)
        for key in source.list():
            storage.create(key, source.read(key).data)
        COMMANDS[command].act(opened(Faulty(storage, at, "kill")))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the command failed with exit code {os.WEXITSTATUS(status)}")
    return not os.WIFSIGNALED(status)


def main(prefix: str, command: str, contents: str, bounds: str = "usual") -> None:
    """Goes on until a command has no operation left to be killed at."""
    if bounds == "small":
        records.BOUNDS = SMALL
    for at in count(1):
        if survives(f"{prefix}/{at}", command, contents, at):
            print(at - 1)
            return


main(*sys.argv[1:])
