"""Two workers of one host: what one of them, or a command on this host, changes holds in the other at the next request.

On S3 with the longest freshness, a worker would otherwise rely for five seconds on what it knows.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.publications import ACTOR
from support.running import PROGRAM, Running
from support.server import PASSWORD, ask, call

from nproxy_mw import organization_at
from nproxy_mw.testing.documents import publish_document

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MANY = 24
"""New connections, so many that both workers get some."""


class Host:
    """A server with two workers, and the commands of its host."""

    def __init__(self, server: Running, storage: str) -> None:
        self.url, self.storage = server.url.rstrip("/"), storage

    def command(self, *arguments: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments, "--storage", self.storage],
            input=piped, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip

    def token(self) -> tuple[str, str]:
        """A new token, and its id."""
        secret, token = organization_at(self.storage).tokens.create("ann", ["proxy", "publish"], actor=ACTOR)
        return secret, token.id

    def statuses(self, token: str, path: str = "/-/whoami") -> set[int]:
        """What many requests get, each on a connection of its own."""
        return {ask(f"{self.url}{path}", headers={"Authorization": f"Bearer {token}"})[0] for _ in range(MANY)}


@pytest.fixture(scope="module", params=["local", "s3"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One on each kind of storage."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    storage = str(folder / "store") if request.param == "local" else f"{request.getfixturevalue('s3_url')}/agree"
    options = ("--workers", "2", "--freshness", "5", "--scope", "@acme", "--storage", storage)
    with Running(folder, *options) as server:
        yield Host(server, storage)


@pytest.fixture(scope="module")
def session(host: Host) -> str:
    """An administrator, signed in."""
    host.command("admin", "create", "ann", piped=PASSWORD)
    made: dict[str, Any] = call(f"{host.url}/api/v1/sessions", "POST", {"username": "ann", "password": PASSWORD})[1]
    return str(made["session"])


def test_token_revoked_by_a_command_opens_nothing(host: Host) -> None:
    """`nproxy-mw token revoke` has returned: both workers refuse it."""
    token, token_id = host.token()
    assert host.statuses(token) == {200}
    host.command("token", "revoke", token_id)
    assert host.statuses(token) == {401}


def test_token_revoked_through_one_worker_opens_nothing_in_the_other(host: Host, session: str) -> None:
    """The management API, whichever worker answered it."""
    token, token_id = host.token()
    assert host.statuses(token) == {200}
    revoked = ask(
        f"{host.url}/api/v1/orgs/default/tokens/{token_id}", "DELETE", headers={"Authorization": f"Bearer {session}"}
    )
    assert revoked[0] == 204
    assert host.statuses(token) == {401}


def test_settings_hold_in_both_workers(host: Host, session: str) -> None:
    """A scope that became internal: the code of a 404 says which kind of package was looked for."""
    token, _ = host.token()

    def codes() -> set[str]:
        answers = [ask(f"{host.url}/@lab%2fx", headers={"Authorization": f"Bearer {token}"})[2] for _ in range(MANY)]
        return {json.loads(answer)["code"] for answer in answers}

    before = codes()
    url = f"{host.url}/api/v1/orgs/default/settings"
    assert call(url, "PUT", {"internalScopes": ["@acme", "@lab"]}, session=session)[0] == 200
    after = codes()
    assert len(before) == len(after) == 1
    assert before != after


def test_session_that_ended_ends_in_both_workers(host: Host, session: str) -> None:
    """Signed out through one of them."""
    second = call(f"{host.url}/api/v1/sessions", "POST", {"username": "ann", "password": PASSWORD})[1]["session"]
    url = f"{host.url}/api/v1/orgs/default/settings"
    assert {call(url, session=second)[0] for _ in range(MANY)} == {200}
    assert call(f"{host.url}/api/v1/sessions", "DELETE", session=second)[0] == 204
    assert {call(url, session=second)[0] for _ in range(MANY)} == {401}


def test_package_that_was_published_is_there_in_both_workers(host: Host) -> None:
    """With its next version, too: a remembered packument is not relied on."""
    token, _ = host.token()
    headers = {"Authorization": f"Bearer {token}"}
    for number in range(3):
        version = f"1.0.{number}"
        document = json.dumps(publish_document("@acme/agreed", version)).encode()
        assert ask(f"{host.url}/@acme%2fagreed", "PUT", document, headers)[0] == 201
        packuments = [json.loads(ask(f"{host.url}/@acme%2fagreed", headers=headers)[2]) for _ in range(MANY)]
        assert {packument["dist-tags"]["latest"] for packument in packuments} == {version}
