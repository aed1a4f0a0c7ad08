"""A person's sessions on their pages, and what a page with a bug shows."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.browser import HOME, Browser, signed_in
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

from nproxy_mw.errors import Missing
from nproxy_mw.middleware.dashboard.pages import audit

ACCOUNT = f"{HOME}/account"


def test_one_session_is_ended_on_the_page(tenants: PlatformFixture, ann: Browser) -> None:
    """The other browser is signed out with its next request; this one has no button to end itself."""
    other = signed_in(tenants)
    page = ann.get(ACCOUNT)
    ended = tenants.sessions.id_of(other.cookies["nproxy_session"][0])
    own = tenants.sessions.id_of(ann.cookies["nproxy_session"][0])
    assert own not in page.body.decode()
    assert "The session has ended." in ann.submit(page, f"sessions/{ended}/end").text
    assert other.get(ACCOUNT).status == 303
    assert ann.get(ACCOUNT).status == 200


def test_all_others_are_ended_on_the_page(tenants: PlatformFixture, ann: Browser) -> None:
    """Those of the management API, too."""
    other, manager = signed_in(tenants), tenants.manager()
    assert "Your other sessions have ended." in ann.submit(ann.get(ACCOUNT), "end-others").text
    assert other.get(ACCOUNT).status == 303
    assert manager.get("/api/v1/orgs").status == 401


def test_older_sessions_are_on_pages_behind(tenants: PlatformFixture, ann: Browser) -> None:
    """Fifty on each, on one's own page and on an administrator's."""
    for _ in range(60):
        tenants.session()
    for path in (ACCOUNT, f"{HOME}/people/ann"):
        page = ann.get(path)
        (onwards,) = (link for link in page.links if link.startswith("?after="))
        assert page.body.count(b'<td class="act">') == 50
        older = ann.get(f"{path}{onwards}")
        assert older.body.count(b'<td class="act">') == 11
        assert "?" in older.links
        assert ann.get(f"{path}?after=x").status == 400


def test_an_administrator_ends_the_session_of_another(tenants: PlatformFixture, ann: Browser) -> None:
    """On the page of that account, and nobody else does."""
    tenants.administrators.create("eve", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    eve = signed_in(tenants, "eve")
    session = tenants.sessions.id_of(eve.cookies["nproxy_session"][0])
    path = f"/people/eve/sessions/{session}/end"
    assert eve.post(HOME + path, f"form_token={eve.get(ACCOUNT).form('sign-out').fields[0][1]}".encode()).status == 403
    assert eve.get(ACCOUNT).status == 200
    assert "The session has ended." in ann.submit(ann.get(f"{HOME}/people/eve"), path).text
    assert eve.get(ACCOUNT).status == 303


@pytest.mark.parametrize(
    "path", ["/account/sessions/{}/end", "/account/sessions/end-others", "/people/ann/sessions/{}/end"]
)
@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="without the form's token"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "cross-site"}, id="of another site"),
        pytest.param({"HTTP_ORIGIN": "https://evil.example", "HTTP_SEC_FETCH_SITE": None}, id="of another origin"),
    ],
)
def test_forms_of_others_end_nothing(
    tenants: PlatformFixture, ann: Browser, path: str, environ: dict[str, Any]
) -> None:
    """403, and every session goes on."""
    other = signed_in(tenants)
    session = tenants.sessions.id_of(other.cookies["nproxy_session"][0])
    sent = b"" if not environ else f"form_token={ann.get(ACCOUNT).form('end-others').fields[0][1]}".encode()
    given = {"HTTP_SEC_FETCH_SITE": "same-origin", **environ}
    answer = ann.post(HOME + path.format(session), sent, {key: value for key, value in given.items() if value})
    assert answer.status == 403
    assert other.get(ACCOUNT).status == 200


@pytest.mark.parametrize("bug", [ZeroDivisionError("a secret"), Missing("a key"), KeyError("x")])
def test_a_bug_answers_a_page(
    ann: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bug: Exception
) -> None:
    """500 as HTML, with the id under which the log has the traceback; nothing of the bug itself."""

    def fails(*_: object, **__: object) -> None:
        raise bug

    monkeypatch.setattr(audit, "verified", fails)
    page = ann.get(f"{HOME}/orgs/acme/audit")
    with caplog.at_level(logging.ERROR):
        page = ann.submit(page, "audit/verify")
    assert page.status == 500
    assert "text/html" in page.headers["content-type"]
    (record,) = (one for one in caplog.records if one.exc_info and one.exc_info[1] is bug)
    request_id = record.args[0] if isinstance(record.args, tuple) else ""
    assert request_id
    assert str(request_id) in page.text
    assert str(bug) not in page.text
