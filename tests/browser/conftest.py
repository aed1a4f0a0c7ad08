"""Chromium on a dashboard that is served on the loopback.

Chromium is looked for under its usual names, or taken from ``NPROXY_TEST_CHROMIUM``. Where there is none, these tests
are skipped; with ``NPROXY_TEST_BROWSER=required`` they fail instead.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from support.filled import fill, fill_with
from support.filled_firewall import fill_firewall, fill_upstream
from support.hosting import PlatformFixture
from support.payloads import PAYLOADS
from werkzeug.serving import WSGIRequestHandler, make_server

from nproxy_mw.testing.upstream import RecordingUpstream

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _is_bad(message: ConsoleMessage) -> bool:
    """Whether a message on the console tells of an error, other than a page's own status."""
    return message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log(self, *args: Any) -> None:
        """Writes nothing."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = os.environ.get("NPROXY_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        (pytest.fail if os.environ.get("NPROXY_TEST_BROWSER") == "required" else pytest.skip)(
            "There is no Chromium: install Debian's chromium-headless-shell, or name one in NPROXY_TEST_CHROMIUM."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    """An upstream with versions that the rules hold and warn of."""
    with RecordingUpstream() as upstream:
        fill_upstream(upstream)
        yield upstream


@pytest.fixture(scope="module")
def tenants(upstream: RecordingUpstream) -> PlatformFixture:
    """A platform with something on every page, and an organization full of hostile text.

    Each file has its own, because what is under memory:// goes with a file.
    """
    tenants = fill(PlatformFixture(orgs=("acme", "beta"), upstream=upstream.url))
    fill_firewall(tenants)
    for number, payload in enumerate(PAYLOADS):
        fill_with(tenants, payload, number)
    return tenants


@contextmanager
def served(tenants: PlatformFixture) -> Iterator[str]:
    """Serves a platform on the loopback; yields where its dashboard is."""
    server = make_server("127.0.0.1", 0, tenants.platform, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/-/dashboard"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def url(tenants: PlatformFixture) -> Iterator[str]:
    """Where the dashboard is."""
    with served(tenants) as url:
        yield url


@pytest.fixture
def without_scripts(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens a page in a browser without scripts that is signed in to a platform of its own, which a test may change."""
    tenants = fill(PlatformFixture())
    with served(tenants) as url:
        context = chromium.new_context(java_script_enabled=False)
        context.add_cookies([{"name": "nproxy_session", "value": tenants.session(), "url": url}])
        page = context.new_page()
        page.set_default_timeout(15_000)

        def open_page(path: str) -> Page:
            page.goto(url + path)
            return page

        yield open_page
        context.close()


@pytest.fixture
def opened(chromium: Browser, url: str, tenants: PlatformFixture) -> Iterator[Callable[..., Page]]:
    """Opens a page of a new browser session, signed in by its cookie; options are those of Playwright's contexts.

    Afterwards nothing may have been said on the console, no dialog opened, and no other host asked.
    """
    contexts, trouble = [], []
    session = tenants.session()

    def open_page(path: str = "", *, signed_in: bool = True, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        if signed_in:
            context.add_cookies([{"name": "nproxy_session", "value": session, "url": url}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: trouble.append(message.text) if _is_bad(message) else None)
        page.on("dialog", lambda dialog: (trouble.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith(url) else None)
        page.goto(url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []
