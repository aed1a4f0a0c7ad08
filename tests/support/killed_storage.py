"""Kills a writer before each of its steps in turn, and looks what is left: ``killed.py FOLDER VERB``.

A step is whatever Python's audit hooks see: every open, rename, link, remove, lock. Prints how many writers were
killed, and how many of them left the old state and the new one.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from nproxy_mw.errors import Missing
from nproxy_mw.storage import LocalStorage

SIZE = 300_000
STEPS = {"open", "os.rename", "os.link", "os.remove", "os.utime", "os.mkdir", "fcntl.flock"}


def write(storage: LocalStorage, verb: str, key: str) -> None:
    if verb == "create":
        storage.create(key, b"n" * SIZE)
    elif verb == "replace":
        storage.replace(key, b"n" * SIZE, storage.read(key).revision)
    else:
        storage.delete(key)


def die_before(step: int) -> None:
    steps = count(1)

    def hook(event: str, _: object) -> None:
        if event in STEPS and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def survived(storage: LocalStorage, verb: str, key: str, step: int) -> bool:
    """Lets a child write, and die before its *step*."""
    child = os.fork()
    if child == 0:
        die_before(step)
        write(storage, verb, key)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def state(storage: LocalStorage, key: str) -> bytes | None:
    try:
        return storage.read(key).data
    except Missing:
        return None


def main(folder: str, verb: str) -> None:
    storage = LocalStorage(Path(folder))
    old = None if verb == "create" else b"o" * SIZE
    new = None if verb == "delete" else b"n" * SIZE
    found = []
    for step in count(1):
        key = f"{verb}/{step}/object"
        if old is not None:
            storage.create(key, old)
        if survived(storage, verb, key, step):
            break
        found.append(state(storage, key))
        assert found[-1] in (old, new), step
        assert set(storage.list(f"{verb}/{step}")) == ({key} if found[-1] is not None else set())
        if found[-1] == old:
            write(storage, verb, key)  # the next writer is not held up
            assert state(storage, key) == new
    print(len(found), found.count(old), found.count(new))


main(*sys.argv[1:])
