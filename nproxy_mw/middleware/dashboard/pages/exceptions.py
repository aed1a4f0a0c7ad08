"""Exceptions from the rules: those that are in effect, and the requests for more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from nproxy_mw.errors import BadRequest, Conflict
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.rules.exception_documents import MAX_TEXT
from nproxy_mw.rules.exceptions import RuleException
from nproxy_mw.rules.values import InvalidFields
from nproxy_mw.times import timestamp, utc_now

LIFETIMES = {"1": "1 day", "7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year"}
"""How long an exception can hold, by days. None holds for ever."""

SHOWN = 25  # exceptions, and requests, on one page


def show(request: PageRequest) -> Answer:
    """Returns the exceptions and the requests."""
    return _list(request)


def add(request: PageRequest) -> Answer:
    """Adds an exception."""
    form = request.form
    document: dict[str, Any] = {"package": form.text("package"), "reason": form.text("reason")}
    if versions := form.raw("versions").split():
        document["versions"] = versions
    if rules := form.all("rules"):
        document["rules"] = rules
    try:
        request.organization.settings.add_exception({**document, "expiresAt": _end(request)}, actor=request.actor)
    except BadRequest as error:
        return _list(request, _sentence(error))
    return Redirect(request.here("exceptions"), "exception-added")


def remove(request: PageRequest) -> Answer:
    """Removes an exception, which the form names by what it is."""
    settings = request.organization.settings
    documents = [exception.to_document() for exception in settings.get().exceptions]
    kept = [one for one in documents if _key(one) != request.form.text("key")]
    settings.change({"exceptions": kept}, actor=request.actor)
    return Redirect(request.here("exceptions"), "exception-removed")


def answer(request: PageRequest) -> Answer:
    """Approves or denies a request."""
    requests, form, comment = request.organization.exception_requests, request.form, request.form.text("comment")
    said: dict[str, Any] = {"comment": comment} if comment else {}
    try:
        if form.text("answer") == "approve":
            requests.approve(request.parts["id"], {**said, "expiresAt": _end(request)}, actor=request.actor)
            return Redirect(request.here("exceptions"), "request-approved")
        requests.deny(request.parts["id"], said, actor=request.actor)
    except (BadRequest, Conflict) as error:
        return _list(request, _sentence(error))
    return Redirect(request.here("exceptions"), "request-denied")


def _list(request: PageRequest, problem: str = "") -> Page:
    organization = request.organization
    settings, now, form = organization.settings.get(), utc_now(), request.form
    standing = sorted(settings.exceptions, key=lambda one: one.expires_at)
    requests = organization.exception_requests.list()
    open_requests = [one for one in requests if one.answer is None]
    values = {
        "page": page_of([_row(one) for one in standing], request.query.text("page"), SHOWN),
        "is_over": lambda exception: exception.expires_at <= now,
        "open_requests": open_requests[:SHOWN],
        "number_open": len(open_requests),
        "answered": [one for one in requests if one.answer is not None][:SHOWN],
        "rules": organization.settings.catalog.ids,
        "lifetimes": LIFETIMES,
        "max_text": MAX_TEXT,
        "problem": problem,
        "typed": {name: form.raw(name) or request.query.raw(name) for name in ("package", "versions", "reason")},
        "lifetime": form.text("lifetime", "30"),
        "chosen": form.all("rules"),
    }
    return Page("exceptions.html", "Exceptions", values, 400 if problem else 200)


def _row(exception: RuleException) -> tuple[RuleException, str]:
    return exception, _key(exception.to_document())


def _key(document: dict[str, Any]) -> str:
    """What tells an exception from all others."""
    parts = (
        document["package"],
        document["expiresAt"],
        *(document.get("versions") or ("*",)),
        "|",
        *(document.get("rules") or ("*",)),
    )
    return " ".join(parts)


def _end(request: PageRequest) -> str:
    days = request.form.text("lifetime")
    if days not in LIFETIMES:
        raise BadRequest("Choose how long the exception holds.")
    return timestamp(utc_now() + timedelta(days=int(days)))


def _sentence(error: Exception) -> str:
    if isinstance(error, InvalidFields):
        return " ".join(f"{path.rpartition('.')[2]}: {sentence}" for path, sentence in error.fields.items())
    return str(error)
