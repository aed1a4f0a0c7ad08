"""A soak: clients install for minutes while the upstream fails in every way and workers are restarted and killed.

Run it from the top of the project; the default test run leaves it out::

    PYTHONPATH=.:tests python tests/bench/soak.py --minutes 20

It fails when a client gets an error that is not the upstream's, wrong bytes or a 5xx for an internal package; when the
cache is over its bound; or when memory grows.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from support import moods
from support.moods import Mood, MoodyUpstream
from support.programs import Npm, Served, gunicorn, npm_command

from nproxy_mw.testing.upstream import Reply
from nproxy_mw.upstream.cache_units import files_in, spools_in, units_in

PACKAGES, CLIENTS = 300, 4
BOUND = 16 * 2**20  # bytes: a third of what is installed
PHASE = 20.0  # seconds of one mood
GRACE = 65.0  # seconds after a fault in which a circuit breaker may still be open
FORMS = ({}, {"npm-command": "install"}, {"Accept-Encoding": "gzip"})
MOODS: dict[str, Mood | None] = {
    "honest": None,
    "flaky": moods.flaky(10),
    "slow": moods.slow(0.3),
    "down": moods.each_as(moods.unavailable),
    "honest again": None,
    "portal": moods.each_as(moods.web_page),
    "resetting": moods.each_as(moods.reset),
    "cutting": moods.each_as(moods.cut),
    "lying": moods.each_as(moods.wrong_bytes),
    "logged out": moods.each_as(lambda reply: Reply(401, b'{"error":"log in"}', {"Content-Type": "application/json"})),
    "gone": moods.each_as(lambda reply: Reply(404, b"{}", {"Content-Type": "application/json"})),
}


class Soak:
    """What runs, what was seen, and what is wrong with it."""

    def __init__(self, served: Served, upstream: MoodyUpstream, tarballs: dict[str, str]) -> None:
        self.served = served
        self.upstream = upstream
        self.tarballs = tarballs  # SHA-512 by path
        self.token = served.token()
        self.netloc = urlsplit(served.url).netloc
        self.ends = threading.Event()
        self.mood = "honest"
        self.faulty_until = 0.0
        self.answers: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.problems: list[str] = []
        self.memory: list[float] = []  # MB
        self.disk: list[int] = []  # bytes

    def client(self, seed: int) -> None:
        """Asks for packuments and their tarballs, public and internal ones."""
        chance = random.Random(seed)
        connection = HTTPConnection(self.netloc, timeout=100)
        while not self.ends.wait(0.005):
            path = chance.choice(list(self.tarballs))
            name = path.split("/-/", maxsplit=1)[0]
            for asked in chance.choice(((name, path), (path,), (name, name), ("/@acme%2fbase",), ("/absent",))):
                try:
                    self.ask(connection, asked)
                except (OSError, HTTPException) as error:  # its worker was killed; the next one answers
                    self.answers[f"broken off: {type(error).__name__}"] += 1
                    connection.close()

    def ask(self, connection: HTTPConnection, path: str) -> None:
        began, was_faulty = time.monotonic(), self.is_faulty
        headers = {"Authorization": f"Bearer {self.token}", **random.choice(FORMS)}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        code = "" if answer.status == 200 else json.loads(body)["code"]
        self.answers[f"{answer.status} {code}".strip()] += 1
        what = f"{self.mood}: {path} {answer.status} {code} after {time.monotonic() - began:.1f} s"
        is_upstreams = answer.status in (502, 503, 504) and code.startswith(("upstream-", "integrity-"))
        if path == "/absent" and (answer.status == 404 or is_upstreams):
            return
        if answer.status == 200:
            if path in self.tarballs and hashlib.sha512(body).hexdigest() != self.tarballs[path]:
                self.problems.append(f"wrong bytes: {what}")
            if path not in self.tarballs and f"/{json.loads(body)['name']}" != path.replace("%2f", "/"):
                self.problems.append(f"another packument: {what}")
        elif "@acme" in path or not (was_faulty or self.is_faulty):
            self.problems.append(f"nobody's error: {what}")
        elif not is_upstreams and code not in ("upstream-refused", "not-found", "tarball-not-found"):
            self.problems.append(f"not the upstream's: {what}")

    @property
    def is_faulty(self) -> bool:
        return time.monotonic() < self.faulty_until

    def change_moods(self) -> None:
        """Goes through all moods, again and again, with honest ones between."""
        while True:
            for name, mood in MOODS.items():
                self.mood, self.upstream.mood = name, mood
                if mood is not None:
                    self.faulty_until = time.monotonic() + PHASE + GRACE
                if self.ends.wait(PHASE if mood is not None else PHASE + GRACE):
                    return

    def disturb(self) -> None:
        """Restarts all workers now and then, and kills one in between."""
        while True:
            if self.ends.wait(37):
                return
            os.kill(int(random.choice(self.workers())), signal.SIGKILL)
            self.events["killed"] += 1
            if self.ends.wait(41):
                return
            os.kill(self.served.pid, signal.SIGHUP)
            self.events["restarted"] += 1

    def install(self, npm: Npm) -> None:
        """Runs the real npm again and again."""
        for number in range(10_000):
            if self.ends.wait(10):
                return
            app = npm.folder / f"app{number}"
            app.mkdir()
            names = [path.split("/")[1] for path in random.sample(list(self.tarballs), 20)]
            (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": dict.fromkeys(names, "*")}))
            was_faulty = self.is_faulty
            done = npm.run("install", "--fetch-retries=2", "--fetch-retry-mintimeout=500", cwd=app, cache=f"c{number}")
            self.events["npm succeeded" if done.returncode == 0 else "npm failed"] += 1
            if done.returncode and not (was_faulty or self.is_faulty):
                self.problems.append(f"npm failed while all was well: {done.stderr[-300:]}")

    def watch(self) -> None:
        """Notes memory and disk every two seconds."""
        while not self.ends.wait(2):
            self.memory.append(sum(map(pss, self.workers())))
            # Twice: what is removed during one look may be counted along with what takes its place.
            self.disk.append(min(self.size(), self.size()))

    def size(self) -> int:
        """Bytes that the cache takes on the disk."""
        root = Path(f"{self.served.storage}-cache")
        spooled = sum(file.size for spool in spools_in(root) for file in files_in(spool))
        return sum(unit.size for unit in units_in(root)) + spooled

    def workers(self) -> list[str]:
        return Path(f"/proc/{self.served.pid}/task/{self.served.pid}/children").read_text().split()

    def conclude(self) -> dict[str, object]:
        """Returns the figures; looks at them as a whole."""
        third = len(self.memory) // 3
        early, late = (statistics.median(part) for part in (self.memory[third : 2 * third], self.memory[2 * third :]))
        if late > early * 1.15 + 5:
            self.problems.append(f"memory grows: {early:.0f} MB, then {late:.0f} MB")
        over = [size for size in self.disk if size > BOUND]
        if over:
            self.problems.append(f"the bound of {BOUND} was exceeded {len(over)} times, up to {max(over)}")
        return {
            "answers": dict(self.answers.most_common()),
            "events": dict(self.events),
            "memory, MB, by tenths of the time": [round(statistics.median(part)) for part in tenths(self.memory)],
            "disk, MiB: most, last, bound": [round(size / 2**20, 1) for size in (max(self.disk), self.disk[-1], BOUND)],
            "asked of the upstream": len(self.upstream.requests),
            "problems": self.problems[:50],
        }


def tenths(values: list[float]) -> Iterator[list[float]]:
    size = max(len(values) // 10, 1)
    return (values[start : start + size] for start in range(0, size * 10, size) if values[start : start + size])


def pss(pid: str) -> float:
    """Megabytes of a process, shared ones divided among those that share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


@contextmanager
def furnished(folder: Path) -> Iterator[Soak]:
    """A server with two workers before an upstream with tarballs of 20 kB to 4 MB, and packuments up to 400 kB."""
    chance = random.Random(1)
    with MoodyUpstream() as upstream:
        tarballs = {}
        for number in range(PACKAGES):
            size = 4_000_000 if number % 50 == 0 else chance.randrange(20_000, 200_000)
            more = {"padding": chance.randbytes(200_000).hex()} if number % 10 == 0 else {}
            data = upstream.publish(f"p{number}", "1.0.0", more, {"blob": chance.randbytes(size)})
            tarballs[f"/p{number}/-/p{number}-1.0.0.tgz"] = hashlib.sha512(data).hexdigest()
        (folder / "served").mkdir()
        options = ("--workers", "2", "--cache-size", str(BOUND))
        with gunicorn(folder / "served", upstream, *options) as served:
            yield Soak(served, upstream, tarballs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder, furnished(Path(folder)) as soak:
        npm = Npm(npm_command() or (), Path(folder) / "npm", soak.served.url, soak.token)
        npm.publish("@acme/base")
        works = [soak.change_moods, soak.disturb, soak.watch, lambda: soak.install(npm)]
        works += [lambda seed=seed: soak.client(seed) for seed in range(CLIENTS)]  # type: ignore[misc]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        time.sleep(minutes * 60)  # the soak itself
        soak.ends.set()
        for thread in threads:
            thread.join(120)
        print(json.dumps(soak.conclude(), indent=1))
        print((Path(folder) / "served" / "server.log").read_text()[-3000:], file=sys.stderr)
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
