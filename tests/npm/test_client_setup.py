"""The lines that each package manager needs, and the documentation, which shows the same ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nproxy_mw.npm.client_setup import client_setups

URL = "http://127.0.0.1:4874"
PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


def setup(client, url=URL, scopes=("@acme",), **how):
    return next(one for one in client_setups(url, scopes, **how) if one.client == client)


def lines(client, file, *arguments, **how):
    return next(one.lines for one in setup(client, *arguments, **how).files if one.name == file)


CLIENTS = ["npm", "pnpm", "yarn 1", "yarn 4", "bun", "deno"]


def test_every_client_has_lines():
    """Those that are documented."""
    assert [one.client for one in client_setups(URL, ["@acme"])] == CLIENTS


@pytest.mark.parametrize("url", ["https://npm.acme.example/npm", "https://npm.acme.example/npm/"])
@pytest.mark.parametrize("client", ["npm", "yarn 1", "bun", "deno"])
def test_key_of_the_token_ends_with_a_slash(client, url):
    """pnpm 10, yarn 1 and deno send no token otherwise; the registry's own slash makes no difference."""
    assert lines(client, ".npmrc", url) == (
        "registry=https://npm.acme.example/npm/",
        "//npm.acme.example/npm/:_authToken=${NPROXY_TOKEN}",
    )


def test_pnpm_has_the_token_in_the_users_own_configuration():
    """It takes no variable from a project's file."""
    one = setup("pnpm", "https://npm.acme.example/npm")
    assert one.commands == ("pnpm config set '//npm.acme.example/npm/:_authToken' '${NPROXY_TOKEN}'",)
    assert all("_authToken" not in line for file in one.files for line in file.lines)


@pytest.mark.parametrize(("url", "is_named"), [(URL, True), ("https://npm.acme.example", False)])
def test_yarn_4_is_told_of_plain_http_only(url, is_named):
    """It refuses http to any host that is not named; https needs nothing."""
    assert ('  - "127.0.0.1"' in lines("yarn 4", ".yarnrc.yml", url)) is is_named
    assert ("unsafeHttpWhitelist:" in lines("yarn 4", ".yarnrc.yml", url)) is is_named


@pytest.mark.parametrize("public_reads", [True, False])
def test_yarn_sends_the_token_always_where_public_reads_need_it(public_reads):
    """The other clients do so by themselves."""
    setups = client_setups(URL, ["@acme"], public_reads=public_reads)
    told = {one.client for one in setups for file in one.files for line in file.lines if "lways" in line}
    assert told == (set() if public_reads else {"yarn 1", "yarn 4"})


def test_every_scope_is_exempt_from_the_age_of_versions():
    """In the words of each client that has such a gate."""
    scopes = ("@acme", "@tools")
    assert lines("pnpm", "pnpm-workspace.yaml", URL, scopes)[1:] == ('  - "@acme/*"', '  - "@tools/*"')
    assert '  - "@tools/*"' in lines("yarn 4", ".yarnrc.yml", URL, scopes)
    document = json.loads("\n".join(lines("deno", "deno.json", URL, scopes)))
    assert document["minimumDependencyAge"]["exclude"] == ["npm:@acme/*", "npm:@tools/*"]


def documented(client):
    """What the page shows for a client: its files, its commands, and its closing sentence."""
    (section,) = re.findall(rf"^## {client}\n(.*?)(?=^## )", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    files = re.findall(r"^`([^`]+)`:\n\n```[a-z]+\n(.*?)\n```", section, re.MULTILINE | re.DOTALL)
    return dict(files), section


@pytest.mark.parametrize("client", CLIENTS)
def test_page_shows_the_very_lines(client):
    """Documents do not drift from what is tried."""
    one = setup(client)
    files, section = documented(client)
    assert files == {file.name: "\n".join(file.lines) for file in one.files}
    for command in (*one.commands, one.install, one.publish or "cannot publish"):
        assert command in section


def test_page_shows_what_public_reads_need():
    """A line each for both yarns."""
    for client, file in (("yarn 1", ".npmrc"), ("yarn 4", ".yarnrc.yml")):
        (line,) = set(lines(client, file, public_reads=False)) - set(lines(client, file))
        assert f"| {client} | `{file}` | `{line}` |" in PAGE.read_text()
