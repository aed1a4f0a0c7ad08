"""nproxy-mw serve: what is wrong is said before anything starts; what is right runs until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from nproxy_mw.cli import main
from nproxy_mw.cli.greeting import greeting
from nproxy_mw.cli.server import _reachable
from nproxy_mw.orgs.settings_fields import Settings

PROGRAM = str(Path(sys.executable).with_name("nproxy-mw"))


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
        pytest.param(["--org", "../x"], "../x", id="organization"),
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
    with pytest.raises(SystemExit) as caught:
        main(["serve", f"{option}={number}"])
    assert caught.value.code == 2
    assert "is not a number from 1 to 256" in capsys.readouterr().err


def test_variable_that_will_not_do_is_refused(capsys, monkeypatch):
    """As the option would be."""
    monkeypatch.setenv("NPROXY_WORKERS", "many")
    with pytest.raises(SystemExit) as caught:
        main(["serve"])
    assert caught.value.code == 2
    assert "'many' is not a number" in capsys.readouterr().err


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


class Running:
    """The program as an operator runs it."""

    def __init__(self, tmp_path, *arguments, **env):
        self.log = tmp_path / "log"
        # Under development mode, gunicorn's workers tell of sockets that they leave to the system.
        environ = {**os.environ, "PYTHONDEVMODE": "", "NPROXY_BIND": "127.0.0.1:0", "NPROXY_UPSTREAM": "none", **env}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--workers", "1", *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path, env=environ,
            )  # fmt: skip
        self.greeting = []

    def __enter__(self):
        for line in self.process.stdout:
            self.greeting.append(line.rstrip())
            if line.startswith(("Everything else", "Internal packages only", "No npm")):
                return self
        raise AssertionError(self.log.read_text())

    def __exit__(self, *_):
        with self.process:
            self.process.terminate()
            self.rest = self.process.stdout.read()

    @property
    def url(self):
        return self.greeting[0].removeprefix("nproxy-mw is ready at ").removesuffix(" (Ctrl-C stops it).")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@pytest.mark.e2e
def test_ctrl_c_stops_cleanly_and_frees_the_port(tmp_path):
    """Exit code 0, no traceback, and the next server can listen there."""
    with Running(tmp_path, "--scope", "@acme") as server:
        with urllib.request.urlopen(f"{server.url}-/ping", timeout=10) as response:
            assert response.read() == b"{}"
        assert server.stop() == 0
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            pass
    assert server.log.read_text() == "Stopped.\n"


@pytest.mark.e2e
def test_first_start_tells_the_next_steps(tmp_path):
    """On a new store: the lines for .npmrc and three commands; the printed command makes a token that is known."""
    with Running(tmp_path, NPROXY_SCOPE="@acme, @tools") as server:
        assert server.stop() == 0
    text = "\n".join([*server.greeting, *server.rest.splitlines()])
    assert all(warning in text for warning in Settings.warnings())
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
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert b"username" in response.read()
    assert "npm publish" not in "\n".join([*server.greeting, server.rest])


@pytest.mark.e2e
def test_without_npm_the_start_says_so(tmp_path):
    """Internal packages only, and the flag to give."""
    with Running(tmp_path, NPROXY_UPSTREAM="", PATH=str(tmp_path)) as server:
        assert any("No npm on this machine" in line and "--upstream URL" in line for line in server.greeting)


class Told:
    storage = "nproxy-data"
    org = "default"
    remark = "Internal packages only."
    is_new = True


def test_welcome_without_a_scope_says_what_to_give():
    """A registry without a scope keeps nothing: that is told, and no first steps."""
    text = greeting("http://127.0.0.1:4874", Told(), [])
    assert "start with --scope @acme" in text
    assert "npmrc" not in text


@pytest.mark.parametrize(
    ("host", "reachable"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.1", "192.0.2.1")],  # noqa: S104
)
def test_address_of_all_is_no_address_to_go_to(host, reachable):
    """The greeting names one that a client on this machine can use."""
    assert _reachable(host) == reachable
