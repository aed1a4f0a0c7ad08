"""nproxy-mw serve: what is wrong is said before anything starts; what is right runs until Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.ports import free_port
from support.publications import ACTOR, publish
from support.running import PROGRAM, STOPPED, Running
from support.waiting import wait_until

from nproxy_mw import organization_at
from nproxy_mw.cli import main


def refuses(capsys, *arguments):
    """The one sentence with which the program ends before it serves."""
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("nproxy-mw: ")
    assert err.endswith((".\n", "none.\n"))
    return err


@contextmanager
def listening(address="127.0.0.1"):
    with socket.create_server((address, 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--bind", "nonsense"], "--bind 'nonsense' is not HOST:PORT", id="bind"),
        pytest.param(["--public-url", "nonsense"], "--public-url is not a URL like", id="public URL"),
        pytest.param(["--upstream", "nonsense"], "--upstream is not a URL like", id="upstream"),
        pytest.param(["--upstream", "http://127.0.0.1:4874"], "is this server itself", id="ourselves"),
        pytest.param(["--scope", "acme"], "one looks like @acme", id="scope"),
        pytest.param(["--storage", "gopher://x"], "This kind of storage is not supported", id="kind of storage"),
        pytest.param(["--storage", "s3://"], "needs the name of a bucket", id="no bucket"),
        pytest.param(["--org", "../x"], "--org '../x' is not an organization's id", id="organization"),
        pytest.param(["--upstream", ""], "--upstream is empty: give URL, or leave it out.", id="empty upstream"),
        pytest.param(["--allowed-origin", "x"], "--allowed-origin is not an origin like", id="origin"),
        pytest.param(["--upstream-proxy", "ftp://x"], "--upstream-proxy is not a URL like", id="proxy"),
        pytest.param(
            ["--upstream-ca", "none.pem", "--upstream", "https://upstream.example"],
            "--upstream-ca: none.pem cannot be read: No such file or directory.",
            id="authorities",
        ),
        pytest.param(["--trusted-proxies", "-1"], "'-1' is not a whole number from 0 to 16.", id="no proxies"),
        pytest.param(["--trust-forwarded-host"], "Give --trusted-proxies, too", id="whose headers"),
        pytest.param(["--freshness", "6"], "--freshness '6' is not a number from 0 to 5.", id="freshness"),
        pytest.param(["--log-level", "loud"], "--log-level 'loud' is not debug, info, warning or error.", id="level"),
        pytest.param(["--config", "none.toml"], "configuration file none.toml cannot be read: No such file", id="file"),
        pytest.param(["--orgs", "nonsense"], "--orgs 'nonsense' is not", id="organizations"),
        pytest.param(["--bind", "192.0.2.1:0"], "Cannot listen on 192.0.2.1:0", id="not our address"),
        pytest.param(["--bind", "nowhere.example:0"], "Cannot listen on nowhere.example:0", id="no address"),
    ],
)
def test_what_cannot_be_is_one_sentence(capsys, tmp_path, monkeypatch, arguments, said):
    """Exit code 2, no traceback, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    upstream = [] if "--upstream" in arguments else ["--upstream", "none"]
    assert said in refuses(capsys, *upstream, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["0", "-1", "x", "257", "1.5", ""])
@pytest.mark.parametrize("option", ["--workers", "--threads"])
def test_number_that_will_not_do_is_refused(capsys, option, number):
    """From 1 to 256."""
    said = refuses(capsys, f"{option}={number}")
    assert said.startswith(f"nproxy-mw: {option} ")
    assert "is not a whole number from 1 to 256" in said or "is empty" in said


def test_variable_that_will_not_do_is_refused(capsys, monkeypatch):
    """As the option would be."""
    monkeypatch.setenv("NPROXY_WORKERS", "many")
    assert refuses(capsys) == "nproxy-mw: NPROXY_WORKERS 'many' is not a whole number from 1 to 256.\n"


def test_port_in_use_is_one_sentence(capsys, tmp_path):
    """Said at once, with the flag to give."""
    with listening() as port:
        said = refuses(capsys, "--upstream", "none", "--bind", f"127.0.0.1:{port}", "--storage", str(tmp_path / "s"))
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Give another place with --bind." in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scopes", [[], ["--scope", "@acme"]], ids=["no scope", "scope"])
def test_folder_that_cannot_be_written_is_one_sentence(capsys, tmp_path, scopes):
    """Before anybody publishes into it: the place, the reason and the flag."""
    (tmp_path / "file").write_text("")
    said = refuses(capsys, "--upstream", "none", "--bind", "127.0.0.1:0", "--storage", str(tmp_path / "file"), *scopes)
    assert f"It is {tmp_path / 'file'} (Not a directory): give another place with --storage." in said


@pytest.mark.e2e
def test_ctrl_c_stops_cleanly_and_frees_the_port(tmp_path):
    """Exit code 0, no traceback, and the next server can listen there."""
    port = free_port()
    with Running(tmp_path, "--scope", "@acme", "--bind", f"127.0.0.1:{port}") as server:
        with urllib.request.urlopen(f"{server.url}-/ping", timeout=60) as response:
            assert response.read() == b"{}"
        assert server.stop() == 0
        with socket.create_server(("127.0.0.1", port)):
            pass
    assert server.said == STOPPED


@pytest.mark.e2e
def test_first_start_tells_the_next_steps(tmp_path):
    """On a new store: the lines for .npmrc and three commands; the printed command makes a token that is known."""
    with Running(tmp_path, NPROXY_SCOPE="@acme, @tools") as server:
        assert server.stop() == 0
    text = "\n".join([*server.greeting, *server.rest.splitlines()])
    assert f"@acme/*, @tools/* from {tmp_path / 'nproxy-data'}." in text
    for expected in ("registry=http://127.0.0.1:", "/:_authToken=${NPROXY_TOKEN}", "npm publish", "npm install @acme/"):
        assert expected in text
    (command,) = [line.strip() for line in text.splitlines() if " token create " in line]
    (tmp_path / "elsewhere").mkdir()
    made = subprocess.run(
        ["sh", "-c", f'{command}; echo "$NPROXY_TOKEN"'],
        cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    with Running(tmp_path) as server:
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        asked = urllib.request.Request(f"{server.url}-/whoami", headers=headers)
        with urllib.request.urlopen(asked, timeout=60) as response:
            assert b"username" in response.read()
    assert "npm publish" not in "\n".join([*server.greeting, server.rest])


@pytest.mark.e2e
def test_file_configures_the_server(tmp_path):
    """Where it listens, what it keeps and how it logs; the variable wins over the file."""
    (tmp_path / "nproxy.toml").write_text(
        'bind = "127.0.0.1:1"\nstorage = "kept"\nscope = ["@acme"]\naccess-log = true\nlog-format = "json"\n'
    )
    with Running(tmp_path, "--config", "nproxy.toml") as server:
        with urllib.request.urlopen(f"{server.url}-/ping?x=secret", timeout=60):
            wait_until(lambda: server.said.count("\n"))  # a request is logged when its answer is sent
        server.stop()
    assert f"@acme/* from {tmp_path / 'kept'}." in "\n".join(server.greeting)
    (record,) = [json.loads(line) for line in server.said.splitlines() if line.startswith("{")]
    assert (record["method"], record["path"], record["status"]) == ("GET", "/-/ping", 200)
    assert len(record["requestId"]) >= 16
    assert "secret" not in str(record)


def nothing_can_be_written():
    """A disk without room: no file takes a byte; pipes and sockets do."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.e2e
def test_restart_on_a_full_disk_serves_reads(tmp_path):
    """A reboot must not stop every install: what is stored is served, and the log says what is wrong."""
    store = tmp_path / "nproxy-data"
    with Running(tmp_path, "--scope", "@acme") as server:
        server.stop()
    token = organization_at(str(store)).tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]
    publish(organization_at(str(store)), "@acme/utils", "1.0.0")
    with Running(tmp_path, "--scope", "@acme", prepare=nothing_can_be_written) as server:
        asked = urllib.request.Request(f"{server.url}@acme%2futils", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=60) as response:
            assert b'"1.0.0"' in response.read()
        asked = urllib.request.Request(f"{server.url}@acme%2fnew", b"{}", asked.headers, method="PUT")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(asked, timeout=60)
    assert "It is read meanwhile, and nothing can be published." in server.said


@pytest.mark.e2e
def test_greeting_that_nobody_reads_stops_nothing(tmp_path):
    """A pipe whose reader is gone: the server serves on, without a traceback."""
    port = free_port()
    environ = {**os.environ, "PYTHONDEVMODE": "", "NPROXY_BIND": f"127.0.0.1:{port}", "NPROXY_UPSTREAM": "none"}
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [PROGRAM, "serve"], stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environ
    ) as process:
        os.close(writer)
        wait_until(lambda: is_listening(port))
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == STOPPED
        assert process.wait(timeout=60) == 0


def is_listening(port):
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)):
            return False
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ping", timeout=60) as response:
        return response.status == 200


@pytest.mark.e2e
@pytest.mark.usefixtures("hangup_as_usual")
def test_closed_terminal_leaves_no_orphan(tmp_path):
    """The server ends with the terminal it was started in, as every other program there does."""
    port = free_port()
    environ = {**os.environ, "PYTHONDEVMODE": "", "NPROXY_BIND": f"127.0.0.1:{port}", "NPROXY_UPSTREAM": "none"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(PROGRAM, [PROGRAM, "serve", "--workers", "1"], environ)  # noqa: S606
    said = b""
    while b"Internal packages only" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.e2e
@pytest.mark.usefixtures("hangup_as_usual")
def test_hangup_without_a_terminal_is_a_reload(tmp_path):
    """As service managers expect: another worker serves on."""
    with Running(tmp_path) as server:
        before = worker_of(server.process.pid)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: worker_of(server.process.pid) not in (None, before))
        with urllib.request.urlopen(f"{server.url}-/ping", timeout=60) as response:
            assert response.status == 200
        assert server.stop() == 0


def worker_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children[0] if children else None


@pytest.mark.e2e
def test_server_on_s3_starts_and_stops_without_a_traceback(tmp_path, s3_url):
    """Nothing that was opened before the workers were forked is there in them."""
    with Running(tmp_path, "--storage", f"{s3_url}/serve") as server:
        with urllib.request.urlopen(f"{server.url}-/ping", timeout=60) as response:
            assert response.status == 200
        assert server.stop() == 0
    assert server.said == STOPPED


@pytest.mark.e2e
def test_without_npm_the_start_says_so(tmp_path):
    """Internal packages only, and the flag to give."""
    with Running(tmp_path, NPROXY_UPSTREAM="", PATH=str(tmp_path)) as server:
        assert any("No npm on this machine" in line and "--upstream URL" in line for line in server.greeting)
