"""Explain: what the rules do with an upstream package, on a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import HOME, Browser, signed_in
from support.hosting import PlatformFixture

from nproxy_mw.testing.upstream import RecordingUpstream

EXPLAIN = f"{HOME}/orgs/acme/explain"


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    """An upstream with a package that has just been published."""
    with RecordingUpstream() as upstream:
        upstream.publish("left-pad", "1.0.0")
        upstream.publish("left-pad", "1.1.0", {"scripts": {"postinstall": "node x.js"}})
        yield upstream


@pytest.fixture(scope="module")
def browser(upstream: RecordingUpstream) -> Browser:
    """A platform administrator's, where @acme is internal."""
    tenants = PlatformFixture(upstream=upstream.url)
    tenants.scopes("acme", "@acme")
    return signed_in(tenants)


def test_a_version_is_explained(browser: Browser) -> None:
    """Each rule with its mode and what it says; the script that runs on install is named."""
    page = browser.get(f"{EXPLAIN}?name=left-pad&version=1.1.0")
    assert page.status == 200
    assert "left-pad@1.1.0" in page.text
    assert "install_scripts warn" in page.text
    assert "postinstall" in page.text


def test_a_tag_is_explained_as_its_version(browser: Browser) -> None:
    """A developer often knows only latest."""
    assert "left-pad@1.1.0" in browser.get(f"{EXPLAIN}?name=left-pad&version=latest").text


def test_a_package_is_explained(browser: Browser) -> None:
    """Its newest versions, each with a verdict and a link to its own explanation."""
    page = browser.get(f"{EXPLAIN}?name=left-pad")
    assert page.status == 200
    assert any("version=1.0.0" in link for link in page.links)


def test_the_way_to_an_exception_is_filled_in(browser: Browser) -> None:
    """What is explained stands in the form for a new exception."""
    fields = browser.get(f"{HOME}/orgs/acme/exceptions?package=left-pad&versions=1.1.0").form("/exceptions").fields
    assert {("package", "left-pad"), ("versions", "1.1.0")} <= set(fields)


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("name=@acme/secret", 400, "internal package"),
        ("name=@acme/secret&version=1.0.0", 400, "internal package"),
        ("name=no-such-package", 404, ""),
        ("name=..%2F..%2Fx", 400, ""),
        ("name=a%0Ab", 400, ""),
        ("", 200, "Name a package of the upstream"),
    ],
)
def test_what_cannot_be_explained(browser: Browser, query: str, status: int, sentence: str) -> None:
    """A sentence at the form; an internal name least of all."""
    page = browser.get(f"{EXPLAIN}?{query}")
    assert (page.status, sentence in page.text) == (status, True)


def test_the_upstream_never_hears_of_internal_names(browser: Browser, upstream: RecordingUpstream) -> None:
    """Explaining one asks nobody."""
    before = len(upstream.requests)
    browser.get(f"{EXPLAIN}?name=@acme/secret")
    assert len(upstream.requests) == before
    assert upstream.asked("acme") == []
