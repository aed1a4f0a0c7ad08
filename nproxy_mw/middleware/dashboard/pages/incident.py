"""Who fetched a package, for the day on which a version turns out to be malicious."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.questions import SPAN, InstallQuestion, found_installs
from nproxy_mw.ledger.facts import Install
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.token_records import TokenRecord
from nproxy_mw.rules.values import InvalidFields
from nproxy_mw.times import utc_now

MAX_ROWS = 1_000
"""Installs that one page shows."""

FIELDS = ("package", "version", "from", "to")


def show(request: PageRequest) -> Answer:
    """Returns the form, and the installs that the URL asks for when it asks for any."""
    typed = {name: request.query.text(name) for name in FIELDS}
    if not any(typed.values()):
        return _page(typed)
    try:
        found, is_complete = found_installs(request.organization.ledger.storage, _asked(typed), utc_now(), MAX_ROWS)
    except InvalidFields as error:
        return _page(typed, problems=error.fields)
    tokens = {token.id: token for token in request.organization.tokens.list(revoked=True)}
    return _page(typed, found=found, is_complete=is_complete, tokens=tokens)


def _asked(typed: Mapping[str, str]) -> InstallQuestion:
    try:
        package = str(parse_name(typed["package"]))
    except BadRequest as error:
        raise InvalidFields({"package": error.message}, code=error.code) from error
    return InstallQuestion(
        package=package, versions=typed["version"], since=_whole(typed["from"]), until=_whole(typed["to"])
    )


def _whole(text: str) -> str | None:
    """Returns a typed time as the API takes it: a day means its beginning, and times may be copied from a page."""
    if not text:
        return None
    text = text.replace(" ", "T")
    return text if "T" in text else f"{text}T00:00:00Z"


def _page(
    typed: Mapping[str, str],
    *,
    found: list[Install] | None = None,
    is_complete: bool = True,
    tokens: Mapping[str, TokenRecord] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Page:
    used = list(dict.fromkeys(one.key.token for one in found or () if one.key.token))
    values: dict[str, Any] = {
        "typed": {name: text[:300] for name, text in typed.items()},
        "found": found,
        "is_complete": is_complete,
        "used": used,
        "addresses": len({one.key.ip for one in found or ()}),
        "tokens": tokens or {},
        "problems": problems or {},
        "days": SPAN.days,
        "max_rows": MAX_ROWS,
    }
    return Page("incident.html", "Incident", values, 400 if problems else 200)
