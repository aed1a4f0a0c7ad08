"""Which headers of a client reach the upstream, on every way there."""

from __future__ import annotations

import pytest
from support.forwarding import Client

from nproxy_mw.testing.upstream import RecordingUpstream

NOISE = (
    "Cookie Referer Origin Via From Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Real-IP "
    "X-Request-Id User-Agent npm-session npm-scope npm-in-ci pacote-req-type pacote-version Connection "
    "Keep-Alive TE Trailer Upgrade Proxy-Authorization Proxy-Connection Expect Pragma Cache-Control DNT "
    "Sec-Fetch-Site Accept-Language X-Anything"
)
OURS = {"host", "accept", "accept-encoding", "user-agent"}
BODY = {"content-length", "content-type"}
WRITE = {"authorization", "npm-otp", "npm-auth-type", "npm-command"}


@pytest.mark.parametrize(
    ("method", "path", "passed"),
    [
        pytest.param("GET", "/lodash", set(), id="packument"),
        pytest.param("GET", "/lodash?write=true", set(), id="packument for a write"),
        pytest.param("GET", "/lodash/1.0.0", set(), id="version"),
        pytest.param("GET", "/lodash/-/lodash-1.0.0.tgz", set(), id="tarball"),
        pytest.param("GET", "/-/package/lodash/dist-tags", set(), id="dist-tags"),
        pytest.param("GET", "/-/npm/v1/keys", set(), id="keys"),
        pytest.param("POST", "/-/npm/v1/security/advisories/bulk", BODY, id="bulk audit"),
        pytest.param("PUT", "/lodash", BODY | WRITE, id="publish"),
        pytest.param("PUT", "/lodash/-rev/1-a", BODY | WRITE, id="unpublish a version"),
        pytest.param("DELETE", "/lodash/-rev/1-a", BODY | WRITE, id="unpublish"),
        pytest.param("DELETE", "/lodash/-/lodash-1.0.0.tgz/-rev/1-a", BODY | WRITE, id="remove a tarball"),
        pytest.param("PUT", "/-/package/lodash/dist-tags/next", BODY | WRITE, id="tag"),
        pytest.param("DELETE", "/-/package/lodash/dist-tags/next", BODY | WRITE, id="untag"),
    ],
)
def test_nothing_of_a_client_goes_up_but_what_is_listed(
    upstream: RecordingUpstream, client: Client, method: str, path: str, passed: set[str]
) -> None:
    """Whoever asks, and from where, is not the upstream's business; one-time passwords and a write's token are."""
    upstream.publish("lodash", "1.0.0")
    headers = dict.fromkeys([*NOISE.split(), "npm-otp", "npm-auth-type", "npm-command"], "secret")
    bodies = {"PUT": {"versions": {}}, "POST": {"lodash": ["1.0.0"]}}
    client.ask(method, path, bodies.get(method, b""), **headers)
    assert upstream.requests
    for sent in upstream.requests:
        assert set(sent.headers) <= OURS | passed
        assert {name for name, value in sent.headers.items() if value == "secret"} == passed & WRITE - {"authorization"}
