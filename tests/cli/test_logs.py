"""The program's log, end to end: the id that an answer shows leads to the line that says why."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request

import pytest
from support.ports import silent_url
from support.registry import ACTOR
from support.running import Running

from nproxy_mw import organization_at
from nproxy_mw.cli import logs

# A bug, put into the real program: Python runs this before everything else.
BROKEN = """
from nproxy_mw.middleware.scope_router import ScopeRouter

def call(*_):
    raise RuntimeError("an internal matter \\x1b[31m")

ScopeRouter.__call__ = call
"""


@pytest.fixture
def kept_handlers():
    """The handlers and levels as they were, since a program sets them up once and tests many times."""
    root, levels = logging.getLogger(), {}
    before = list(root.handlers)
    for name in (*logs._OURS, logs.ACCESS):
        levels[name] = logging.getLogger(name).level
    yield
    root.handlers[:] = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def answer(url, path, **headers):
    """Status, body and headers of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


@pytest.mark.e2e
@pytest.mark.parametrize("form", ["plain", "json"])
def test_id_of_a_500_is_in_the_log_with_its_reason(tmp_path, form):
    """The answer says nothing; the log has the id, the traceback, and no escape sequence."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    with Running(tmp_path, "--scope", "@acme", "--log-format", form, PYTHONPATH=str(tmp_path)) as server:
        token = organization_at(str(tmp_path / "nproxy-data")).tokens.create("ann", ["proxy"], actor=ACTOR)[0]
        status, body, headers = answer(server.url, "-/ping", Authorization=f"Bearer {token}")
        server.stop()
    assert status == 500, body
    assert b"internal matter" not in body
    request_id = json.loads(body)["requestId"]
    assert headers["X-Request-Id"] == request_id
    (first, *_) = [line for line in server.said.splitlines() if request_id in line]
    assert "RuntimeError: an internal matter ?[31m" in server.said
    assert token not in server.said
    if form == "json":
        record = json.loads(first)
        assert (record["requestId"], record["level"]) == (request_id, "error")


@pytest.mark.e2e
def test_failing_upstream_is_in_the_log_and_its_credentials_are_not(tmp_path):
    """Where it was asked, and why it failed, under the id of the answer."""
    with silent_url() as url:
        silent = url.replace("http://", "http://ann:hush-hush@")
        with Running(tmp_path, "--scope", "@acme", "--upstream", silent) as server:
            status, body, _ = answer(server.url, "is-odd")
            server.stop()
    assert status >= 502
    lines = [line for line in server.said.splitlines() if json.loads(body)["requestId"] in line]
    assert any("Connection refused" in line for line in lines)
    assert "hush-hush" not in server.said


def test_configure_replaces_only_its_own_handler(kept_handlers, capsys):
    """Set up twice, a record is one line; the handlers of others stay."""
    others = [handler for handler in logging.getLogger().handlers if not isinstance(handler, logs._Handler)]
    logs.configure()
    logs.configure("info", logs.JSON)
    assert logging.getLogger().handlers[:-1] == others
    logging.getLogger("nproxy_mw.x").info("Said.")
    logging.getLogger("nproxy_mw.x").debug("Not said.")
    logging.getLogger("urllib3").info("Not said.")
    logging.getLogger(logs.ACCESS).info("Not said.")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "Said."


def test_debug_is_for_our_own_loggers(kept_handlers, capsys):
    """Libraries below log headers and bodies at that level."""
    logs.configure("debug", access=True)
    for name in ("nproxy_mw.x", logs.ACCESS, "botocore.auth", "urllib3.connectionpool"):
        logging.getLogger(name).info("Said.")
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["nproxy_mw.x", logs.ACCESS]
