"""The log: a line per record, with the id of its request, without secrets and without control characters."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw import token_format
from nproxy_mw.observability.logs import REQUEST, JsonFormatter, PlainFormatter, RequestIds, redacted

TOKEN = token_format.make_secret()


def record(message="Said %s.", *arguments, **attributes):
    made = logging.LogRecord("nproxy_mw.x", logging.WARNING, __file__, 1, message, arguments or ("so",), None)
    made.created = 1_795_000_000.25
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def failed(error):
    try:
        raise error
    except type(error):
        return record("Failed: %s", "x", exc_info=sys.exc_info())


@pytest.fixture(autouse=True)
def outside_requests():
    """Whatever tests before these left to this thread."""
    token = REQUEST.set("")
    yield
    REQUEST.reset(token)


@pytest.fixture
def in_request():
    token = REQUEST.set("0a1b")
    yield
    REQUEST.reset(token)


def test_plain_line():
    """The time is UTC; the rest is what one greps for."""
    assert PlainFormatter().format(record()) == "2026-11-18T11:06:40.250Z WARNING nproxy_mw.x Said so."


def test_json_line():
    """One object per line."""
    assert json.loads(JsonFormatter().format(record())) == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "warning",
        "logger": "nproxy_mw.x",
        "message": "Said so.",
    }


def test_line_of_a_request_has_its_id(in_request):
    """So that the id of an answer leads to every line about it."""
    assert " nproxy_mw.x [0a1b] Said so." in PlainFormatter().format(record())
    assert json.loads(JsonFormatter().format(record()))["requestId"] == "0a1b"
    one = record()
    assert RequestIds().filter(one) is True
    assert one.request_id == "0a1b"


def test_filter_marks_every_record():
    """A format of the host's that names the id works outside requests, too."""
    one = record()
    assert RequestIds().filter(one) is True
    assert one.request_id == ""


def test_traceback_is_there():
    """In lines below, or as one member."""
    plain = PlainFormatter().format(failed(ValueError("bad")))
    assert plain.splitlines()[1] == "Traceback (most recent call last):"
    assert plain.endswith("\nValueError: bad")
    assert json.loads(JsonFormatter().format(failed(ValueError("bad"))))["traceback"].endswith("\nValueError: bad")


def test_fields_are_members():
    """As the access log has them."""
    document = json.loads(JsonFormatter().format(record(fields={"status": 200, "path": f"/x\x1b/{TOKEN}"})))
    assert (document["status"], document["path"]) == (200, "/x?/nproxy_[redacted]")


SECRETS = {
    "token": TOKEN,
    "token less one": TOKEN[:-1],
    "session": "session_" + "a1" * 20,
    "token of npm": "npm_" + "a1" * 18,
    "bearer": "Authorization: Bearer abc.def-ghi",
    "basic": "('authorization', 'Basic eDpub3QtYS1zZWNyZXQ=')",
    "password in a URL": "https://user:abc.def-ghi@upstream.example/x",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_secrets_are_left_out(text):
    """Of messages, of tracebacks, and in both formats."""
    secret = re.split(r"[ /@:]", text.replace("https://user:", "").replace("@upstream.example/x", ""))[-1].strip("')")
    for formatter in (PlainFormatter(), JsonFormatter()):
        for one in (record("%s", text), failed(ValueError(text))):
            line = formatter.format(one)
            assert secret not in line
            assert "[redacted]" in line


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/-/user/token/anything", "/-/user/token/[redacted]"),
        ("/acme/-/npm/v1/tokens/token/anything", "/acme/-/npm/v1/tokens/token/[redacted]"),
        ("/-/v1/login/done/anything", "/-/v1/login/done/[redacted]"),
        ("/-/v1/login/page/anything", "/-/v1/login/page/[redacted]"),
        ("/-/user/org.couchdb.user:ann", "/-/user/org.couchdb.user:ann"),
        ("/@acme/utils/-/utils-1.0.0.tgz", "/@acme/utils/-/utils-1.0.0.tgz"),
    ],
)
def test_secret_segments_of_a_path_are_left_out(path, shown):
    """npm puts tokens into paths, and a login that waits is known by its path alone."""
    assert redacted(path) == shown


@given(st.text())
def test_a_record_is_one_line_of_text(text):
    """Whatever a client sends: no line of its own, no escape sequence, no character that cannot be written."""
    for formatter in (PlainFormatter(), JsonFormatter()):
        line = formatter.format(record("%s", text))
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)
        assert line.encode()


PAGE = (Path(__file__).parents[2] / "docs" / "logging.md").read_text()


@pytest.fixture
def own_logger():
    """The library's logger, as it was, afterwards."""
    logger = logging.getLogger("nproxy_mw")
    before = (list(logger.handlers), logger.level)
    yield logger
    logger.handlers[:], logger.level = before


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), ids=["handler", "dictConfig"])
def test_documented_configuration_works(block, own_logger, in_request, capsys):
    """A host that copies it sees the line with the request's id."""
    names = {}
    exec(block, names)  # noqa: S102 - our own page
    if "LOGGING" in names:
        logging.config.dictConfig(names["LOGGING"])
    own_logger.warning("Said so.")
    assert " [0a1b] Said so.\n" in capsys.readouterr().err
