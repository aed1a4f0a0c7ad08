"""npm login, whoami, token and logout, by npm itself, on a server with two workers."""

from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest
from support.server import NPM, PASSWORD, Npm, grant, program, serving

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(NPM is None, reason="npm is not installed")]


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """A store with an administrator."""
    folder = tmp_path_factory.mktemp("store")
    program(folder, "admin", "create", "ann", piped=PASSWORD)
    return folder


@pytest.fixture(scope="module", params=["fixed"])
def registry(request, storage):
    """The URL of one organization's registry, by itself or below a path."""
    if request.param == "fixed":
        with serving(storage, "--scope", "@acme") as url:
            yield url
    else:
        program(storage, "org", "create", "acme")
        with serving(storage, "--orgs", "path") as url:
            yield f"{url}/acme"


def web_login(npm, *scopes, command="login"):
    """npm waits while a person signs in."""
    with subprocess.Popen(
        npm.command(command), cwd=npm.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "npm ended without showing a URL"
            found = re.search(r"https?://\S+/-/v1/login/page/\S+", line)
        page = grant(found[0], *scopes)
        rest, _ = process.communicate(timeout=60)
    assert "Logged in" in page
    assert process.returncode == 0, rest


@pytest.mark.parametrize(("registry", "command"), [("fixed", "adduser"), ("by path", "login")], indirect=["registry"])
def test_web_login_whoami_tokens_logout(registry, tmp_path, command):
    """The whole life of a token, by npm alone."""
    npm = Npm(tmp_path / "npm", registry)
    web_login(npm, "proxy", "publish", command=command)
    secret = npm.token()
    assert secret.startswith("nproxy_")
    assert npm.ok("whoami").strip() == "ann"
    listed = npm.ok("token", "list")
    assert "with id" in listed  # whose it is, only some versions of npm print
    assert secret not in listed
    npm.ok("ping")
    npm.ok("logout")
    assert npm.token() == ""
    old = Npm(tmp_path / "old", registry, secret)
    assert "E401" in old.run("whoami").stderr


def test_token_revokes_itself(registry, tmp_path):
    """By the id that npm token list shows."""
    npm = Npm(tmp_path / "npm", registry)
    web_login(npm, "proxy")
    key = re.search(r"with id (\w+)", npm.ok("token", "list"))[1]
    npm.ok("token", "revoke", key)
    assert npm.run("whoami").returncode != 0


def test_old_token_does_not_stand_in_the_way(registry, tmp_path):
    """npm sends its old token along: one that is revoked does not keep anybody from logging in."""
    npm = Npm(tmp_path / "npm", registry, "nproxy_" + "0" * 49)
    web_login(npm, "proxy")
    assert npm.ok("whoami").strip() == "ann"


def test_chosen_scopes_are_the_tokens(registry, tmp_path):
    """A token for reading publishes nothing."""
    npm = Npm(tmp_path / "npm", registry)
    web_login(npm, "proxy")
    refused = npm.run("publish", cwd=npm.package("@acme/refused"))
    assert refused.returncode != 0
    assert npm.token() not in refused.stderr


def test_legacy_login_asks_on_the_terminal(registry, tmp_path):
    """npm login --auth-type=legacy asks for a name and a password, and gets a token that may publish."""
    npm = Npm(tmp_path / "npm", registry)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(npm.folder)
        command = npm.command("login", "--auth-type=legacy")
        os.execv(command[0], command)  # noqa: S606 - the real npm
    for asked, answer in ((b"Username", "ann"), (b"Password", PASSWORD)):
        read_until(terminal, asked)
        os.write(terminal, f"{answer}\n".encode())
    shown = read_until(terminal, b"Logged in")
    os.close(terminal)
    os.waitpid(process, 0)
    assert PASSWORD.encode() not in shown
    assert npm.ok("whoami").strip() == "ann"


def read_until(terminal, words):
    """What a program writes, up to *words*."""
    shown = b""
    while words not in shown:
        piece = os.read(terminal, 1000)
        assert piece, shown
        shown += piece
    return shown
