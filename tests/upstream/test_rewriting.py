"""Addresses of the upstream become ours, and ours the upstream's again."""

from __future__ import annotations

import json

import pytest

from nproxy_mw.upstream.rewriting import UrlRewriter

OURS = "https://npm.acme.example/npm"
UPSTREAM = "https://upstream.example"


@pytest.mark.parametrize(
    ("upstream", "before", "after"),
    [
        pytest.param(UPSTREAM, "https://upstream.example/x", f"{OURS}/x", id="https"),
        pytest.param(UPSTREAM, "http://upstream.example/x", f"{OURS}/x", id="http"),
        pytest.param(UPSTREAM, "git+https://upstream.example", f"git+{OURS}", id="no path"),
        pytest.param(UPSTREAM, "https://upstream.example:443/x", f"{OURS}/x", id="port written out"),
        pytest.param(UPSTREAM, "at https://upstream.example.", f"at {OURS}.", id="full stop"),
        pytest.param(UPSTREAM, "https://upstream.example.evil/x", "https://upstream.example.evil/x", id="longer host"),
        pytest.param(UPSTREAM, "https://upstream.example-x/", "https://upstream.example-x/", id="longer label"),
        pytest.param(UPSTREAM, "https://my.upstream.example/", "https://my.upstream.example/", id="subdomain"),
        pytest.param(UPSTREAM, "https://upstream.example:8443/", "https://upstream.example:8443/", id="other port"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/npm/x", f"{OURS}/x", id="with its prefix"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/npmx", f"{OURS}/npmx", id="not quite its prefix"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/other", f"{OURS}/other", id="beside its prefix"),
        pytest.param("http://127.0.0.1:4873", "http://127.0.0.1:4873/x", f"{OURS}/x", id="with a port"),
        pytest.param("http://127.0.0.1:4873", "http://127.0.0.1:48731/x", "http://127.0.0.1:48731/x", id="longer port"),
        pytest.param("http://[::1]:4873", "http://[::1]:4873/x", f"{OURS}/x", id="IPv6"),
    ],
)
def test_no_url_of_the_upstream_is_left(upstream: str, before: str, after: str) -> None:
    """Each is turned into one of ours, anywhere in the document; nothing that merely looks alike is touched."""
    document = json.dumps({"deep": [before]}).encode()
    assert json.loads(UrlRewriter(upstream, OURS).to_local(document)) == {"deep": [after]}


def test_escaped_slashes_are_slashes() -> None:
    """JSON may write each with a backslash before it."""
    document = rb'{"a":"https:\/\/upstream.example\/npm\/x","b":"http:\/\/upstream.example\/y"}'
    assert json.loads(UrlRewriter(f"{UPSTREAM}/npm", OURS).to_local(document)) == {"a": f"{OURS}/x", "b": f"{OURS}/y"}


def test_our_own_urls_stay_where_both_share_an_origin() -> None:
    """A registry and its upstream may be two paths of one server."""
    beside = UrlRewriter("http://one.example/upstream", "http://one.example/npm")
    assert beside.to_local(b"http://one.example/npm/x http://one.example/upstream/x") == (
        b"http://one.example/npm/x http://one.example/npm/x"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{OURS}/x", f"{UPSTREAM}/x"),
        ("http://npm.acme.example/npm/x", f"{UPSTREAM}/x"),
        ("https://npm.acme.example/npmx", "https://npm.acme.example/npmx"),
        ("https://npm.acme.example/", "https://npm.acme.example/"),
    ],
)
def test_our_urls_are_turned_back(before: str, after: str) -> None:
    """What a client sends back says of the upstream what the upstream said."""
    assert json.loads(UrlRewriter(UPSTREAM, OURS).to_upstream(json.dumps([before]).encode())) == [after]


def test_sentences_do_not_name_the_host() -> None:
    """Not even without a scheme."""
    text = UrlRewriter(UPSTREAM, OURS).to_local_text("upstream.example says: see https://upstream.example/help.")
    assert text == f"the upstream registry says: see {OURS}/help."
