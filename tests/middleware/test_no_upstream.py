"""NoUpstream, between two validators: internal packages only."""

from __future__ import annotations

import json
from io import BytesIO
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

TREE = {"dependencies": {"lodash": {"version": "1.0.0"}}}
BULK, QUICK = "/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/audits/quick"


def ask(
    method: str,
    path: str,
    app: Any = None,
    mark: Destination = Destination.UPSTREAM,
    *,
    body: Any = None,
    settings: FixedSettings | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """Returns the body of the answer; its headers go into *headers*."""
    sent = json.dumps(body).encode()
    environ: Any = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    setup_testing_defaults(environ)
    environ = with_context(
        {**environ, "wsgi.input": BytesIO(sent), "CONTENT_LENGTH": str(len(sent))},
        route=parse_route(path),
        destination=mark,
        settings=settings or FixedSettings(),
        principal=ANONYMOUS,
    )

    def start_response(status: str, found: Any, exc_info: Any = None) -> Any:
        (headers if headers is not None else {}).update(found)
        return lambda data: None

    chunks = validator(NoUpstream(app))(environ, start_response)
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
    """In the shape each client wants, with a notice that nothing was looked at."""
    headers: dict[str, str] = {}
    assert json.loads(ask("POST", BULK, body={"lodash": ["1.0.0"]}, headers=headers)) == {}
    assert "nothing was checked" in headers["npm-notice"]
    quick = json.loads(ask("POST", QUICK, body=TREE, headers=headers))
    assert quick["metadata"]["totalDependencies"] == 0
    assert "nothing was checked" in headers["npm-notice"]


@pytest.mark.parametrize(("path", "body"), [(BULK, {"lodash": ["1.0.0"]}), (QUICK, TREE)])
def test_audits_obey_the_organization(path: str, body: Any) -> None:
    """Nobody here has advisories: an organization may want a 404, so that "unknown" is not taken for "none"."""
    settings = FixedSettings()
    settings.audit_without_advisories = "not-found"
    with pytest.raises(NotFound, match="has security advisories") as refused:
        ask("POST", path, body=body, settings=settings)
    assert refused.value.code == "no-audit"


@pytest.mark.parametrize(("path", "body"), [(BULK, {"@acme/x": ["1.0.0"]}), (QUICK, {"dependencies": {}})])
def test_audits_of_nothing_public_find_nothing(path: str, body: Any) -> None:
    """Whatever the organization wants: there was nothing to look up."""
    settings = FixedSettings()
    settings.audit_without_advisories = "not-found"
    headers: dict[str, str] = {}
    ask("POST", path, body=body, settings=settings, headers=headers)
    assert "npm-notice" not in headers


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
