"""The configuration for gunicorn itself: with it a host gets the same server as ``nproxy-mw serve``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from json import dumps, loads

import pytest
from gunicorn.config import Config
from support.publications import ACTOR

from nproxy_mw import organization_at, registry
from nproxy_mw.cli import gunicorn_conf
from nproxy_mw.testing.documents import publish_document

_SITE = """
from nproxy_mw import registry
application = registry("store", internal_scopes=["@acme"])
"""


def test_every_setting_is_one_of_gunicorn():
    """It ignores names that it does not know, and so would a slip of the pen be ignored."""
    names = {name for name in vars(gunicorn_conf) if not name.startswith("_") and name != "annotations"}
    assert names <= Config().settings.keys()
    assert {"worker_class", "threads", "keepalive", "forwarded_allow_ips"} <= names


@pytest.mark.e2e
def test_large_publish_passes_under_gunicorn_itself(tmp_path):
    """And what is not HTTP is answered as everywhere."""
    registry(str(tmp_path / "store"), internal_scopes=["@acme"])
    token = organization_at(str(tmp_path / "store")).tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]
    (tmp_path / "site_of_a_host.py").write_text(_SITE)
    command = [sys.executable, "-m", "gunicorn", "--config", "python:nproxy_mw.cli.gunicorn_conf"]
    command += ["--bind", "127.0.0.1:0", "--workers", "1", "site_of_a_host:application"]
    body = dumps(publish_document("@acme/large", "1.0.0", files={"noise": os.urandom(8_000_000)}))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    with process:
        port = next(re.search(r":(\d+) \(", line)[1] for line in process.stderr if "Listening at" in line)
        with closing(HTTPConnection("127.0.0.1", int(port), timeout=60)) as connection:
            connection.request("PUT", "/@acme%2flarge", body, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            assert (response.status, loads(response.read())["ok"]) == (201, True)
            connection.request("GET", "/", headers={"Expect": "tea"})
            assert loads(connection.getresponse().read())["code"] == "expectation-failed"
        process.terminate()


@pytest.mark.e2e
def test_tls_is_refused_in_a_sentence(tmp_path):
    """A proxy does that better."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:nproxy_mw.cli.gunicorn_conf"]
    command += ["--bind", "127.0.0.1:0", "--certfile", str(tmp_path / "cert"), "wsgiref.simple_server:demo_app"]
    (tmp_path / "cert").write_text("")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Error: This worker speaks plain HTTP/1.1: leave TLS" in done.stderr
    assert "Traceback" not in done.stderr
