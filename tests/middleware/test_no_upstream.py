"""NoUpstream, between two validators: internal packages only."""

from __future__ import annotations

import json
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from support.layers import FixedSettings, with_context

from nproxy_mw.access import ANONYMOUS
from nproxy_mw.errors import Forbidden, MissingLayer, NotFound
from nproxy_mw.http.context import Destination
from nproxy_mw.middleware.no_upstream import NoUpstream
from nproxy_mw.npm.routes import parse_route


def ask(method: str, path: str, app: Any = None, mark: Destination = Destination.UPSTREAM) -> Any:
    environ: Any = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    setup_testing_defaults(environ)
    environ = with_context(
        environ, route=parse_route(path), destination=mark, settings=FixedSettings(), principal=ANONYMOUS
    )
    chunks = validator(NoUpstream(app))(environ, lambda status, headers, exc_info=None: lambda data: None)
    try:
        return b"".join(chunks)
    finally:
        chunks.close()


@pytest.mark.parametrize(
    "path", ["/lodash", "/lodash/latest", "/lodash/-/lodash-1.0.0.tgz", "/-/npm/v1/keys", "/", "/-/x"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_are_404_with_the_reason(method: str, path: str) -> None:
    """Absent, and why; for keys npm takes it as "this registry signs nothing"."""
    with pytest.raises(NotFound, match="internal packages only"):
        ask(method, path)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/lodash"), ("DELETE", "/lodash/-rev/1"), ("PUT", "/lodash/-rev/1")]
)
def test_writes_are_403(method: str, path: str) -> None:
    """npm takes a 404 to an unpublish for success."""
    with pytest.raises(Forbidden, match="internal packages only"):
        ask(method, path)


def test_audits_find_nothing() -> None:
    """In the shape each client wants."""
    assert json.loads(ask("POST", "/-/npm/v1/security/advisories/bulk")) == {}
    assert json.loads(ask("POST", "/-/npm/v1/security/audits/quick"))["metadata"]["totalDependencies"] == 0


def test_root_is_the_hosts_when_there_is_one() -> None:
    """And nothing else is."""

    def host(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    assert ask("GET", "/", host) == b"hello"
    with pytest.raises(NotFound):
        ask("GET", "/about", host)


def test_internal_package_here_is_a_wrong_order() -> None:
    """Loud, as everywhere."""
    with pytest.raises(MissingLayer, match="InternalStore"):
        ask("GET", "/@acme/x", mark=Destination.INTERNAL)
