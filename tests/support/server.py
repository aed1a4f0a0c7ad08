"""A standalone server on the loopback, and the real npm against it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urlsplit

from support.programs import npm_command

NPM = npm_command()
PROGRAM = (sys.executable, "-c", "import sys; from nproxy_mw.cli import main; sys.exit(main())")
PASSWORD = "correct horse battery"


def program(storage: Path, *arguments: str, piped: str = "") -> str:
    """Runs ``nproxy-mw``; answers what it printed."""
    done = subprocess.run(
        [*PROGRAM, *arguments, "--storage", str(storage)],
        input=piped,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


@contextmanager
def serving(storage: Path, *arguments: str) -> Iterator[str]:
    """A server with two workers; its URL, without a trailing slash."""
    command = [*PROGRAM, "serve", "--storage", str(storage), "--bind", "127.0.0.1:0", "--upstream", "none", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            match = re.search(r"at (http://\S+)/ ", line)
            assert match, line
            yield match[1]
        finally:
            server.terminate()


class Npm:
    """npm in a folder of its own, configured for *registry*."""

    def __init__(self, folder: Path, registry: str, token: str = "", **config: str) -> None:
        folder.mkdir(parents=True)
        self.folder, self.registry, self.npmrc = folder, registry, folder / ".npmrc-user"
        lines = [f"registry={registry}/", "fetch-retries=0", "update-notifier=false", "fund=false", "audit=false"]
        lines += [f"cache={folder / 'cache'}", *(f"{key.replace('_', '-')}={value}" for key, value in config.items())]
        if token:
            lines.append(f"//{registry.partition('//')[2]}/:_authToken={token}")
        self.npmrc.write_text("\n".join(lines) + "\n")

    def command(self, *arguments: str) -> list[str]:
        return [*(NPM or ()), "--userconfig", str(self.npmrc), *arguments]

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *arguments: str, cwd: Path | None = None) -> str:
        """Runs it, and answers what it printed when it went well."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def package(self, name: str, **manifest: Any) -> Path:
        """A package to publish."""
        folder = self.folder / name.replace("/", "-")
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", **manifest}))
        (folder / "index.js").write_text(f"module.exports = {json.dumps(self.registry)}\n")
        return folder

    def token(self) -> str:
        """The token that npm has now; empty when it has none."""
        match = re.search(r":_authToken=(\S+)", self.npmrc.read_text())
        return match[1] if match else ""


def ask(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, HTTPMessage, bytes]:
    """One request; the status, the headers and the body."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def grant(url: str, *scopes: str) -> str:
    """What a person does in a browser at npm's login URL; answers the last page."""
    _, headers, page = ask(url)
    form = re.search(r'name="form" value="([^"]*)"', page.decode())
    assert form
    fields = {"form": form[1], "name": "ann", "password": PASSWORD, "scope": scopes}
    browser = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": headers["Set-Cookie"].partition(";")[0],
        "Origin": "/".join(url.split("/")[:3]),
        "Sec-Fetch-Site": "same-origin",
    }
    return ask(url, "POST", urlencode(fields, doseq=True).encode(), browser)[2].decode()


def call(url: str, method: str = "GET", body: Any = None, *, session: str = "", host: str = "") -> tuple[int, Any]:
    """One call with a JSON body; the status, and what was answered."""
    headers = {"Authorization": f"Bearer {session}"} if session else {}
    if host:
        headers["Host"] = host
    status, _, text = ask(url, method, json.dumps(body).encode() if body is not None else None, headers)
    return status, json.loads(text) if text else None
