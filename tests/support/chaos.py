"""Servers that are killed, publishers that never give up, and a ledger of every answer."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.engines import free_ports, wait_until_up

TIMEOUT = 60.0  # seconds that a publisher waits for an answer
TRIES = 1200  # of one publish by its client, about a minute of them while no host answers


class Server:
    """One host: ``nproxy-mw serve`` with locks of its own, on a port that it keeps when it is started again."""

    def __init__(self, storage: str, folder: Path, workers: int) -> None:
        self.port = free_ports(1)[0]
        self.folder = folder
        folder.mkdir(parents=True)
        self.command = [str(Path(sys.executable).with_name("nproxy-mw")), "serve", "--storage", storage]
        self.command += ["--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), "--threads", "4"]
        self.command += ["--scope", "@acme", "--upstream", "none"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        log = self.folder / "log"
        with log.open("ab") as output:
            # Locks of a bucket lie in the folder for temporary files: another one is another machine.
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                env={**os.environ, "TMPDIR": str(self.folder)},
                start_new_session=True,
            )
        wait_until_up(self.process, f"http://127.0.0.1:{self.port}/-/ping", log)

    def kill(self) -> None:
        """Ends all its processes as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def kill_worker(self) -> None:
        """Ends one of its workers; the server starts another."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)


@contextmanager
def servers(storage: str, folder: Path, *, hosts: int, workers: int) -> Iterator[list[Server]]:
    """Runs that many servers on one storage."""
    made = [Server(storage, folder / f"host{number}", workers) for number in range(hosts)]
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.kill()


@dataclass
class Ledger:
    """What publishers were answered."""

    acknowledged: dict[tuple[str, str], bytes] = field(default_factory=dict)  # and the tarball that was sent
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of each publish that was acknowledged
    problems: list[str] = field(default_factory=list)
    done: int = 0

    def __str__(self) -> str:
        slow = sorted(self.seconds)
        middle, late = slow[len(slow) // 2], slow[int(len(slow) * 0.99)]
        told = ", ".join(f"{number} x {answer}" for answer, number in sorted(self.answers.items()))
        return f"{len(self.acknowledged)} versions; {told}; p50 {middle:.3f} s, p99 {late:.3f} s"


class Storm:
    """Publishers with a common list of jobs, each a package and a version."""

    def __init__(self, ports: Sequence[int], token: str, jobs: Sequence[tuple[str, str]]) -> None:
        self.ports = ports
        self.token = token
        self.total = len(jobs)
        self.ledger = Ledger()
        self._jobs = iter(jobs)
        self._guard = threading.Lock()
        self._progress = threading.Condition(self._guard)
        self._threads: list[threading.Thread] = []

    def begin(self, publishers: int) -> None:
        """Lets the publishers go."""
        self._threads = [threading.Thread(target=self._publish_all, args=(number,)) for number in range(publishers)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, share: float) -> None:
        """Waits until that share of all jobs is done."""
        with self._progress:
            assert self._progress.wait_for(lambda: self.ledger.done >= share * self.total, timeout=600)

    def end(self) -> Ledger:
        """Waits until all jobs are done."""
        for thread in self._threads:
            thread.join()
        assert self.ledger.problems == []
        assert self.ledger.done == self.total
        return self.ledger

    def ask(self, port: int, method: str, path: str, document: Any = None, **headers: str) -> tuple[int, bytes]:
        """One request; status 0 when there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        body = json.dumps(document) if document is not None else None
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _publish_all(self, number: int) -> None:
        while True:
            with self._guard:
                job = next(self._jobs, None)
            if job is None:
                return
            try:
                self._publish(number, *job)
            except Exception as error:
                self.ledger.problems.append(f"{job}: {error!r}")
            with self._progress:
                self.ledger.done += 1
                self._progress.notify_all()

    def _publish(self, number: int, name: str, version: str) -> None:
        """Publishes one version as a patient client does: again, at another host, until it is told that it is there."""
        document = publish_document(name, version, files={"index.js": f"// {name} {version}\n" * 50})
        ambiguous, begun = False, time.monotonic()
        for port in itertools.islice(itertools.cycle(self.ports), number, number + TRIES):
            status, body = self.ask(port, "PUT", f"/{name.replace('/', '%2f')}", document)
            code = json.loads(body).get("code", "") if body else "no answer"
            self._note(f"{status} {code}".strip())
            if status == 201 or (status == 409 and ambiguous):
                (attachment,) = document["_attachments"].values()
                with self._guard:
                    self.ledger.acknowledged[name, version] = base64.b64decode(attachment["data"])
                    self.ledger.seconds.append(time.monotonic() - begun)
                return
            if status == 503 and code == "busy":
                # Definite, unlike an answer that was lost: nothing is stored.
                self._expect_absent(port, name, version, ambiguous=ambiguous)
            elif status in (0, 503):
                ambiguous = True
            else:
                raise AssertionError(f"{status} {body!r}")
            time.sleep(0.05)  # what Retry-After asks for, shortened
        raise AssertionError("never published")

    def _expect_absent(self, port: int, name: str, version: str, *, ambiguous: bool) -> None:
        status, _ = self.ask(port, "GET", f"/{name}/{version}")
        if status == 200 and not ambiguous:
            raise AssertionError("a publish that was refused is there")

    def _note(self, answer: str) -> None:
        with self._guard:
            self.ledger.answers[answer] += 1


def verify(storm: Storm, ledger: Ledger) -> None:
    """Every host shows every version that was acknowledged, in both forms, with the bytes that were sent."""
    names = sorted({name for name, _ in ledger.acknowledged})
    for port, accept in itertools.product(storm.ports, ("application/json", "application/vnd.npm.install-v1+json")):
        for name in names:
            status, body = storm.ask(port, "GET", f"/{name}", Accept=accept)
            assert status == 200, (port, name, status)
            wanted = {version for other, version in ledger.acknowledged if other == name}
            assert json.loads(body)["versions"].keys() == wanted
    for number, ((name, version), sent) in enumerate(ledger.acknowledged.items()):
        path = f"/{name}/-/{name.rpartition('/')[2]}-{urllib.parse.quote(version)}.tgz"
        assert storm.ask(storm.ports[number % len(storm.ports)], "GET", path) == (200, sent)
