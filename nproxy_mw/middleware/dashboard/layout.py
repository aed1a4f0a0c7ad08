"""What every page has around its own content: the navigation, who is signed in, and a notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nproxy_mw.middleware.dashboard.answers import NOTICES, Page
from nproxy_mw.middleware.dashboard.rendering import render
from nproxy_mw.middleware.dashboard.request import PageRequest


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """One entry of the navigation."""

    label: str
    href: str
    is_current: bool


_FOR_READERS = (
    ("Overview", "overview"),
    ("Packages", "packages"),
    ("Explain", "explain"),
    ("Audit trail", "audit"),
    ("Signing keys", "keys"),
    ("Get started", "start"),
)
_FOR_ADMINISTRATORS = (
    ("API tokens", "tokens"),
    ("Rules", "rules"),
    ("Exceptions", "exceptions"),
    ("Settings", "settings"),
)


def html(request: PageRequest, page: Page) -> bytes:
    """Returns a whole page."""
    org = request.parts.get("org") if request.visitor and request.user.sees(request.parts.get("org", "")) else None
    values: dict[str, Any] = {
        "title": page.title,
        "user": request.user if request.visitor else None,
        "org": org,
        "navigation": list(_navigation(request, org)),
        "notice": NOTICES.get(request.query.text("notice"), ""),
        "form_token": request.visitor.form_token if request.visitor else "",
        "link": request.link,
        "here": lambda *segments: f"{request.base}/{request.here(*segments)}",
        "may_change": bool(org) and request.user.manages(org or ""),
        "has_accounts": request.site.login.accounts is not None,
        "host_sign_out": request.site.login.sign_out_url,
        "host_sign_in": request.site.login.sign_in_url,
    }
    return render(page.template, {**values, **page.values})


def _navigation(request: PageRequest, org: str | None) -> Iterator[NavigationLink]:
    if org is None:
        return
    entries = _FOR_READERS + (_FOR_ADMINISTRATORS if request.user.manages(org) else ())
    path = request.environ.get("PATH_INFO", "")
    for label, segment in entries:
        place = f"/orgs/{org}/{segment}"
        is_current = path.endswith(place) or f"{place}/" in path
        yield NavigationLink(label, request.link("orgs", org, segment), is_current)
