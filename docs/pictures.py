"""Takes the pictures of ``docs/pictures`` and writes ``docs/pictures.md``: ``python docs/pictures.py``.

A store is filled with a month of made-up data (`made_up_month`), and a real Chromium looks at every page, light and
dark. Needs ``pip install -e '.[test,server]' pillow`` and ``chromium-headless-shell``, or another Chromium that
``NPROXY_TEST_CHROMIUM`` names.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from made_up_month import CLOCK, NOW, PASSWORD, ROBIN, decide, fill, fill_upstream
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from nproxy_mw.access import Actor
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.hosting import Platform, platform
from nproxy_mw.middleware.dashboard import Dashboard, SessionLogin
from nproxy_mw.middleware.management import SignedIn
from nproxy_mw.middleware.tenants import ByPath
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.storage import open_storage
from nproxy_mw.testing.upstream import RecordingUpstream

HERE = Path(__file__).parent
PUBLIC_URL = "https://npm.example"
SCHEMES = ("light", "dark")
COUNTING = re.compile("Reload the page|still being counted")
TALLEST = 1500  # pixels of a picture
QUALITY = 60
HEAD = """\
# Every page, light and dark

The [dashboard](dashboard.md) with made-up data, 1,440 pixels wide, and some pages 320. `python docs/pictures.py` takes
the pictures anew, and writes this page. Long pages are cut at their foot.
"""


@dataclass(frozen=True)
class Shot:
    """One page: its picture's *name*, its *path*, a *sentence* about it, and what is done before it is looked at."""

    name: str
    title: str
    path: str
    sentence: str
    steps: Callable[[Page], None] = lambda page: None
    is_narrow: bool = False
    signed_in: bool = True


def _create_token(page: Page) -> None:
    page.get_by_label("Name").fill("storefront ci")
    page.get_by_role("button", name="Create token").click()
    page.locator("pre").evaluate_all(
        "(pre, token) => pre.forEach(one => one.textContent = one.textContent.replace(/nproxy_\\w+/, token))",
        f"nproxy_{'x' * 49}",
    )


def _preview(page: Page) -> None:
    page.locator("[name='rules.install_scripts.mode']").select_option("block")
    page.get_by_role("button", name="Preview the change").click()


def _revoke(page: Page) -> None:
    page.get_by_role("button", name="Revoke the chosen tokens").click()


ACME = "/orgs/acme"
CLIENT = f"{ACME}/packages/@acme/http-client"
BAD = "packages/quick-http"
SHOTS = (
    Shot("sign-in", "Sign in", "/sign-in", "A name and a password; guessing is slowed down.", signed_in=False),
    Shot("organizations", "Organizations", "/orgs", "Those that one sees, and a form for a new one."),
    Shot("overview", "Overview", f"{ACME}/overview", "What happened in the last 30 days, and what needs somebody."),
    Shot("start", "Get started", f"{ACME}/start", "The lines for each client, for this registry and its scopes."),
    Shot("packages", "Packages", f"{ACME}/packages", "The internal packages, by name or by the last change."),
    Shot("packages-seen", "Packages from the upstream", f"{ACME}/packages?show=upstream",
         "What clients fetched lately, and what the rules say of it."),
    Shot("package", "Package", CLIENT, "Versions, tags and where they were before, dependents, README and history."),
    Shot("version", "Version", f"{CLIENT}/1.8.0", "Files, dependencies, and whether both signatures fit."),
    Shot("changes", "Changes", f"{ACME}/{BAD}/-/changes/1.14.1?against=1.14.0",
         "What a hijacked version changed, down to the line."),
    Shot("version-held", "A held version", f"{ACME}/{BAD}/1.14.1", "What is in it, while clients are refused."),
    Shot("unpublish", "Unpublish", f"{CLIENT}/-/unpublish", "What goes for good wants its name in writing."),
    Shot("firewall", "Firewall", f"{ACME}/firewall", "What the rules held, warned of or could not decide."),
    Shot("explain", "Explain", f"{ACME}/explain?package=quick-http&version=1.14.1",
         "Why a version is held, until when, and what to use instead."),
    Shot("explain-token", "Explain, without a session", f"{ACME}/explain?package=quick-http&version=1.14.1",
         "A developer follows the link of a refusal and pastes the token that was refused.", signed_in=False),
    Shot("incident", "Incident", f"{ACME}/incident?package=quick-http&version=1.14.1",
         "Who fetched it, with which token and from where; block it and revoke the tokens."),
    Shot("revoke-chosen", "Revoke these tokens", f"{ACME}/incident?package=quick-http&version=1.14.1",
         "The question before the tokens end.", _revoke),
    Shot("audit", "Audit trail", f"{ACME}/audit?by=robin", "Who changed what, by kind, package, actor and time."),
    Shot("keys", "Signing keys", f"{ACME}/keys",
         "Public keys of both kinds; rotation keeps what the old ones signed."),
    Shot("tokens", "API tokens", f"{ACME}/tokens", "What is in use, what expires soon, what was used last."),
    Shot("token-created", "A new token", f"{ACME}/tokens",
         "Its plaintext is shown this once, with the lines to copy.", _create_token),
    Shot("revoke-all", "Revoke all tokens", f"{ACME}/tokens/revoke-all", "Every token of the organization at once."),
    Shot("rules", "Rules", f"{ACME}/rules", "The mode and the parameters of each security rule."),
    Shot("preview", "Preview", f"{ACME}/rules",
         "What other rules would do to what was fetched lately, before they are saved.", _preview),
    Shot("exceptions", "Exceptions", f"{ACME}/exceptions", "What the rules let through, and requests of developers."),
    Shot("settings", "Settings", f"{ACME}/settings", "Internal scopes, public reads, limits."),
    Shot("people", "People", "/people", "Accounts and their roles."),
    Shot("person", "An account", "/people/auditor", "Its role, its sessions and its end."),
    Shot("account", "Your account", "/account", "One's own sessions, each with where it began, and one's password."),
    Shot("not-found", "An error", f"{ACME}/packages/@acme/nothing", "What is not there says so, and where to go on."),
    Shot("overview-narrow", "Overview on a phone", f"{ACME}/overview", "320 pixels wide.", is_narrow=True),
    Shot("firewall-narrow", "Firewall on a phone", f"{ACME}/firewall",
         "Rows of a table become cards.", is_narrow=True),
    Shot("explain-narrow", "Explain on a phone", f"{ACME}/explain?package=quick-http&version=1.14.1",
         "The page behind the link of a refusal.", is_narrow=True),
)  # fmt: skip


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log(self, *args: Any) -> None:
        """Writes nothing."""


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serves *app* on the loopback; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def signed_in(app: Any, secret: str) -> Any:
    """Puts the session's cookie into requests: over TLS, which is not here, a browser would send it."""

    def with_cookie(environ: Any, start_response: Any) -> Any:
        if environ.get("HTTP_X_PICTURE") == "signed in":
            environ["HTTP_COOKIE"] = f"__Host-nproxy_session={secret}"
        return app(environ, start_response)

    return with_cookie


def take(page: Page, url: str, shot: Shot) -> bytes:
    """Returns a picture of one page, as PNG."""
    address = f"{url}/-/dashboard{shot.path}"
    page.goto(address)
    for _ in range(20):  # what a thread counts is there after a moment
        if not page.get_by_text(COUNTING).count():
            break
        page.wait_for_timeout(250)
        page.goto(address)
    shot.steps(page)
    return page.screenshot(full_page=True)


def save(png: bytes, path: Path) -> None:
    """Writes a picture as WebP, cut at its foot when it is long."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.crop((0, 0, image.width, min(image.height, TALLEST))).save(path, "WEBP", quality=QUALITY, method=6)


def page_of(shots: Iterable[Shot]) -> str:
    """Returns the page of the documentation that shows the pictures."""
    parts = [HEAD]
    for shot in shots:
        pictures = " | ".join(f"![{shot.title}, {scheme}](pictures/{shot.name}-{scheme}.webp)" for scheme in SCHEMES)
        parts.append(f"## {shot.title}\n\n{shot.sentence}\n\n| light | dark |\n|---|---|\n| {pictures} |\n")
    return "\n".join(parts)


def filled(store: str, upstream: RecordingUpstream) -> tuple[Platform, str]:
    """Returns a platform with the made-up month in the folder *store*, and the secret of a session."""
    storage = open_storage(f"{store}/npm")
    trail = OrganizationDirectory(storage).trail("system")
    people = AdministratorStore(storage, trail=trail)
    sessions = SessionStore(storage, epoch_of=people.epoch_of, trail=trail)
    site = platform(
        f"{store}/npm",
        resolve=ByPath(),
        upstream=upstream.url,
        cache=f"{store}/cache",
        public_url=PUBLIC_URL,
        users=SignedIn(people, sessions),
        administrators=people,
        dashboard=partial(Dashboard, login=SessionLogin(people, sessions)),
    )
    fill(site, people)
    CLOCK.now = NOW - timedelta(hours=2)
    robin = people.verify("robin", PASSWORD, actor=ROBIN)
    for agent in ("Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", "curl/8.17.0"):
        sessions.create(robin, actor=Actor(name="robin", ip="10.20.0.14", user_agent=agent))
    return site, sessions.create(robin, actor=ROBIN)[0]


def take_all(browser: Browser, url: str, folder: Path) -> None:
    """Takes every picture in each scheme."""
    for shot, scheme in product(SHOTS, SCHEMES):
        context = browser.new_context(
            color_scheme=scheme,
            viewport={"width": 320 if shot.is_narrow else 1440, "height": 600},
            extra_http_headers={"X-Picture": "signed in"} if shot.signed_in else {},
        )
        CLOCK.now = NOW
        save(take(context.new_page(), url, shot), folder / f"{shot.name}-{scheme}.webp")
        context.close()


def main() -> None:
    """Takes all pictures, and writes their page."""
    chromium = os.environ.get("NPROXY_TEST_CHROMIUM") or shutil.which("chromium-headless-shell")
    with RecordingUpstream() as upstream, tempfile.TemporaryDirectory() as store, sync_playwright() as playwright:
        fill_upstream(upstream)
        site, secret = filled(store, upstream)
        with served(signed_in(site, secret)) as url:
            decide(site, lambda path: playwright.request.new_context().get(url + path))
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take_all(browser, url, HERE / "pictures")
            browser.close()
    (HERE / "pictures.md").write_text(page_of(SHOTS))


if __name__ == "__main__":
    main()
