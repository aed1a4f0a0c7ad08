"""``serve --server granian``: what the program promises of its server holds under the other one, too."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.impatient import eventually
from support.ports import free_port
from support.publications import ACTOR
from support.running import STOPPED, Running
from support.server import ask

from nproxy_mw import organization_at
from nproxy_mw.testing.upstream import RecordingUpstream, Reply

pytestmark = pytest.mark.e2e

# A bug, put into the real program: Python runs this before everything else.
BROKEN = """
from nproxy_mw.middleware.scope_router import ScopeRouter

def call(*_):
    raise RuntimeError("an internal matter")

ScopeRouter.__call__ = call
"""


def granian(folder: Path, *arguments: str, **how: str) -> Running:
    return Running(folder, "--server", "granian", "--scope", "@acme", *arguments, **how)


def workers_of(server: Running) -> set[int]:
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_ctrl_c_stops_cleanly_and_frees_the_port(tmp_path: Path) -> None:
    """The same words, exit code 0, no traceback, and the next server can listen there."""
    port = free_port()
    with granian(tmp_path, "--bind", f"127.0.0.1:{port}") as server:
        assert ask(f"{server.url}-/ping")[0] == 200
        assert server.stop() == 0
        with socket.create_server(("127.0.0.1", port)):
            pass
    assert server.said == STOPPED
    assert f"@acme/* from {tmp_path / 'nproxy-data'}." in server.greeting


def test_request_under_way_is_finished(tmp_path: Path) -> None:
    """SIGTERM comes while the upstream thinks: the client gets its answer, then the server ends."""
    with RecordingUpstream() as upstream:
        upstream.publish("slow", "1.0.0")
        wait = threading.Event()
        upstream.on("GET", "/slow", Reply(200, json.dumps(upstream.state.packuments["slow"]).encode(), wait=wait))
        with granian(tmp_path, "--upstream", upstream.url) as server:
            connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
            connection.request("GET", "/slow")
            assert eventually(lambda: upstream.requests)
            server.process.terminate()
            assert eventually(lambda: "Stopping" in server.said)
            wait.set()
            assert connection.getresponse().status == 200
            connection.close()
            assert server.process.wait(timeout=60) == 0


@pytest.mark.usefixtures("hangup_as_usual")
def test_hangup_replaces_workers_and_drops_no_request(tmp_path: Path) -> None:
    """Clients that connect all the time notice nothing: old and new workers share one socket."""
    with granian(tmp_path, "--workers", "2") as server:
        before = workers_of(server)
        statuses: list[int] = []
        over = threading.Event()

        def go_on() -> None:
            while not over.is_set():
                statuses.append(ask(f"{server.url}-/ping")[0])

        client = threading.Thread(target=go_on)
        client.start()
        server.process.send_signal(signal.SIGHUP)
        replaced = eventually(lambda: len(workers_of(server)) == 2 and before.isdisjoint(workers_of(server)))
        over.set()
        client.join(60)
        assert replaced
        assert set(statuses) == {200}
        assert server.stop() == 0


def test_killed_worker_is_replaced(tmp_path: Path) -> None:
    """And the log says that it ended."""
    with granian(tmp_path) as server:
        (worker,) = workers_of(server)
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: workers_of(server) not in (set(), {worker}))
        assert ask(f"{server.url}-/ping")[0] == 200
        assert server.stop() == 0
    assert "Unexpected exit from worker-1" in server.said


def test_log_has_requests_and_the_reason_of_a_500(tmp_path: Path) -> None:
    """One handler, one format: the id that the client saw leads to both records."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    with granian(tmp_path, "--access-log", "--log-format", "json", PYTHONPATH=str(tmp_path)) as server:
        token = organization_at(str(tmp_path / "nproxy-data")).tokens.create("ann", ["proxy"], actor=ACTOR)[0]
        status, headers, body = ask(f"{server.url}-/ping?x=hush", headers={"Authorization": f"Bearer {token}"})
        server.stop()
    assert (status, json.loads(body)["requestId"]) == (500, headers["X-Request-Id"])
    records = [json.loads(line) for line in server.said.splitlines() if line.startswith("{")]
    reason, request = (record for record in records if record.get("requestId") == headers["X-Request-Id"])
    assert "an internal matter" in reason["traceback"]
    assert (request["path"], request["status"], request["bytes"]) == ("/-/ping", 500, len(body))
    assert "hush" not in server.said
    assert token not in server.said


def test_streamed_answer_is_logged_when_it_is_taken(tmp_path: Path) -> None:
    """With all of its bytes."""
    with RecordingUpstream() as upstream:
        upstream.publish("is-odd", "3.0.1", files={"noise.bin": os.urandom(300_000)})
        with granian(tmp_path, "--access-log", "--upstream", upstream.url) as server:
            size = len(ask(f"{server.url}is-odd/-/is-odd-3.0.1.tgz")[2])
            assert eventually(lambda: f'"GET /is-odd/-/is-odd-3.0.1.tgz" 200 {size} bytes' in server.said)


def test_without_granian_the_start_says_what_to_install(tmp_path: Path) -> None:
    """One sentence, and nothing is made."""
    hidden = "import sys\nsys.modules['granian'] = None\nfrom nproxy_mw.cli import main\nsys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "serve", "--server", "granian", "--upstream", "none"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "nproxy-mw: This server needs granian: pip install 'nproxy_mw[granian]'.\n"
    assert list(tmp_path.iterdir()) == []
