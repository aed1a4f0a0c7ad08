"""API tokens: the list, a new one, and their end."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from nproxy_mw.access import Grant
from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs import revocation
from nproxy_mw.orgs.labels import MAX_NAME
from nproxy_mw.orgs.revocation import Revocation
from nproxy_mw.orgs.token_records import TokenRecord
from nproxy_mw.restrictions import Restrictions, parse_addresses, parse_packages
from nproxy_mw.times import utc_now

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "no expiry"}
"""What can be chosen, by days."""

SOON = timedelta(days=14)

MAX_UNREADABLE = 20
"""Tokens with damaged records that the page names."""


def show(request: PageRequest) -> Answer:
    """Returns the tokens that are not revoked, newest first, and the form for a new one."""
    return _list(request)


def create(request: PageRequest) -> Answer:
    """Creates a token, and shows its plaintext: on this page and never again."""
    form, tokens = request.form, request.organization.tokens
    days = form.text("lifetime")
    try:
        if days not in LIFETIMES:
            raise BadRequest("Choose how long the token is good.")
        expires_at = utc_now() + timedelta(days=int(days)) if days else None
        restrictions = Restrictions(
            parse_packages(_entries(form, "packages")), parse_addresses(_entries(form, "addresses"))
        )
        secret, record = tokens.create(
            form.text("name"),
            form.all("scopes"),
            expires_at=expires_at,
            restrictions=restrictions,
            actor=request.actor,
        )
    except BadRequest as error:
        return _list(request, error.message)
    url = request.site.registry_url(request.environ, request.parts["org"])
    values = {"secret": secret, "token": record, "url": url, "authority": url.partition(":")[2]}
    return Page("token_created.html", "Copy the token now", values, 201)


def ask_revoke(request: PageRequest) -> Answer:
    """Returns the question before one token is revoked."""
    return Page("token_revoke.html", "Revoke this token?", {"token": _found(request)})


def revoke(request: PageRequest) -> Answer:
    """Revokes a token."""
    request.organization.tokens.revoke(request.parts["id"], actor=request.actor)
    return Redirect(request.here("tokens"), "token-revoked")


def ask_revoke_all(request: PageRequest) -> Answer:
    """Returns the question before all tokens are revoked: it wants the organization's id in writing."""
    return _ask_all(request)


def revoke_all(request: PageRequest) -> Answer:
    """Revokes every token."""
    if request.form.text("confirm") != request.parts["org"]:
        return _ask_all(request, "That is not the id of this organization: nothing was revoked.")
    done = revocation.revoke_all(request.organization.tokens, actor=request.actor)
    return partly_revoked(request, done) if done.left else Redirect(request.here("tokens"), "tokens-revoked")


def partly_revoked(request: PageRequest, done: Revocation) -> Page:
    """Returns the page that says which tokens go on, and why."""
    left = [(one, error.message) for one, error in done.left.items()]
    return Page("tokens_left.html", "Not all tokens are revoked", {"revoked": len(done.revoked), "left": left}, 503)


def _list(request: PageRequest, problem: str = "") -> Page:
    now, form = utc_now(), request.form
    found = request.organization.tokens.listing()
    tokens = found.tokens
    values = {
        "unreadable": found.unreadable[:MAX_UNREADABLE],
        "unreadable_total": len(found.unreadable),
        "page": page_of(tokens, request.query.text("page")),
        "expiring": sum(_expires_soon(token, now) for token in tokens),
        "soon": SOON.days,
        "problem": problem,
        "lifetimes": LIFETIMES,
        "grants": list(Grant),
        "name": form.text("name"),
        "chosen": form.all("scopes") if problem else [Grant.PROXY],
        "lifetime": form.text("lifetime") if problem else "90",
        "max_name": MAX_NAME,
        "is_expired": lambda token: token.expires_at is not None and token.expires_at <= now,
        "expires_soon": partial(_expires_soon, now=now),
        "packages": form.raw("packages"),
        "addresses": form.raw("addresses"),
    }
    return Page("tokens.html", "API tokens", values, 400 if problem else 200)


def _entries(form: SentForm, name: str) -> list[str] | None:
    return form.raw(name).replace(",", " ").split() or None


def _expires_soon(token: TokenRecord, now: datetime) -> bool:
    return token.expires_at is not None and now < token.expires_at <= now + SOON


def _ask_all(request: PageRequest, problem: str = "") -> Page:
    found = request.organization.tokens.listing()
    values = {"number": len(found.tokens), "unreadable": len(found.unreadable), "problem": problem}
    return Page("tokens_revoke_all.html", "Revoke all API tokens?", values, 400 if problem else 200)


def _found(request: PageRequest) -> TokenRecord:
    asked = request.parts["id"]
    token = request.organization.tokens.with_ids([asked]).get(asked)
    if token is not None and token.revoked_at is None:
        return token
    raise NotFound("There is no token with that id: it may be revoked already.", code="unknown-token")
