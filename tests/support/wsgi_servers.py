"""One registry under each WSGI server, as its own documentation starts it, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

from nproxy_mw.testing.upstream import RecordingUpstream
from support.programs import Served, gunicorn

_APPLICATION = """
import os
from nproxy_mw import registry
application = registry(os.environ["STORE"], internal_scopes=["@acme"], upstream=os.environ["UPSTREAM"])
"""
_BIN = Path(sys.executable).parent
_WAITRESS = (
    [str(_BIN / "waitress-serve"), "--listen=127.0.0.1:0", "--threads=8", "example:application"],
    re.compile(r"Serving on (http://127\.0\.0\.1:\d+)"),
)
_UWSGI = (
    [
        str(_BIN / "uwsgi"), "--http-socket=127.0.0.1:0", "--wsgi=example:application", "--processes=2", "--threads=8",
        "--enable-threads", "--lazy-apps", "--master", "--die-on-term", "--buffer-size=32768", "--need-app",
        "--add-header=Connection: close",
    ],
    re.compile(r"bound to TCP address (127\.0\.0\.1:\d+)"),
)  # fmt: skip


@contextmanager
def _under(
    command: Sequence[str], place: re.Pattern[str], folder: Path, upstream: RecordingUpstream
) -> Iterator[Served]:
    """A server that tells its *place* in its log, which the system chose."""
    storage = folder / "store"
    (folder / "example.py").write_text(_APPLICATION)
    # Under development mode, servers tell of sockets that they leave to the system.
    env = {**os.environ, "STORE": str(storage), "UPSTREAM": upstream.url, "PYTHONPATH": str(folder)}
    with subprocess.Popen(
        command, cwd=folder, env={**env, "PYTHONDEVMODE": ""}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        said: list[str] = []
        try:
            assert process.stdout is not None
            match = next((found for line in process.stdout if (found := place.search(_kept(line, said)))), None)
            assert match is not None, "".join(said)
            reader = Thread(target=said.extend, args=(process.stdout,))
            reader.start()
            yield Served(f"http://{match[1].removeprefix('http://')}", storage, upstream, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)
            reader.join(timeout=60)


def _kept(line: str, said: list[str]) -> str:
    said.append(line)
    return line


SERVERS: dict[str, Callable[[Path, RecordingUpstream], AbstractContextManager[Served]]] = {
    "gunicorn": gunicorn,
    "granian": lambda folder, upstream: gunicorn(folder, upstream, "--server", "granian"),
    "waitress": partial(_under, *_WAITRESS),
    "uwsgi": partial(_under, *_UWSGI),
}
