"""Who fetched bad versions, for the day on which they turn out to be bad; and what to do about it at once.

A question is a list of packages, versions, ranges and advisories. It is sent by POST, because a list may be long. A
link asks about one package by GET.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nproxy_mw.firewall.exposure import Suspects, block_entries, exposed, suspects_of
from nproxy_mw.firewall.questions import SPAN, asked_span
from nproxy_mw.ledger.facts import Install
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.pages.tokens import partly_revoked
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.tables import csv_file, json_file
from nproxy_mw.middleware.dashboard.texts import fitting, weight
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.revocation import revoke_each
from nproxy_mw.orgs.token_records import TokenRecord
from nproxy_mw.rules.values import InvalidFields, field_at
from nproxy_mw.times import parse_moment, timestamp, utc_now

MAX_FOUND = 10_000
"""Installs that one question finds. `nproxy-mw exposure` finds more."""

MAX_REASON = 200
QUESTION_ROOM, TOKEN_ROOM, ROOM = 14_000, 9_000, 26_000
"""Bytes of the question, of the tokens, and of the installs on a page."""

NAME_ROOM = 20_000
"""Bytes of the names of tokens in the question before they end."""

COLUMNS = ("package", "version", "first", "last", "times", "token", "tokenName", "ip")


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed: lines, and two times."""

    what: str = ""
    since: str = ""
    until: str = ""


def show(request: PageRequest) -> Answer:
    """Returns the form, and the installs that the URL asks for when it asks for any."""
    question = _of_url(request.query)
    return _found(request, question) if question != Question() else _page(request, question)


def find(request: PageRequest) -> Answer:
    """Returns the installs that the form asks for."""
    return _found(request, _of_form(request.form))


def export(request: PageRequest) -> Answer:
    """Returns the installs that the form asks for as a file."""
    question = _of_form(request.form)
    try:
        found, _ = _installs(request, _suspects(request, question), question)
    except InvalidFields as error:
        return _page(request, question, problems=error.fields)
    names = _tokens(request)
    name = f"{request.parts['org']}-installs"
    rows = [(one.to_document(), names[one.key.token].name if one.key.token in names else "") for one in found]
    if request.form.text("format") == "json":
        return json_file(name, ({**document, "tokenName": token} for document, token in rows))
    return csv_file(name, COLUMNS, ([{**one, "tokenName": token}[key] for key in COLUMNS] for one, token in rows))


def block(request: PageRequest) -> Answer:
    """Puts what the form names on the block list, with its reason. Clients are refused from then on."""
    question, reason = _of_form(request.form), request.form.text("reason")
    try:
        suspects = _suspects(request, question)
        if not reason or len(reason) > MAX_REASON:
            raise InvalidFields({"reason": f"Say why, in at most {MAX_REASON} characters: developers read it."})
        entries = block_entries(_of_upstream(request, suspects), reason)
        request.organization.settings.block(entries, actor=request.actor)
    except InvalidFields as error:  # of the settings, too: too many entries
        fields = error.fields if set(error.fields) <= {"what", "reason"} else {"what": " ".join(error.fields.values())}
        return _page(request, question, problems=fields)
    return Redirect(request.here("incident"), "versions-blocked")


def revoke(request: PageRequest) -> Answer:
    """Revokes the tokens that were chosen, or all that fetched what the form names, once that was confirmed."""
    tokens = _tokens(request)
    records = [tokens[one] for one in dict.fromkeys(_chosen(request)) if _is_in_use(tokens, one)]
    if not records:
        return _found(request, _of_form(request.form), {"chosen": "Choose at least one token that is in use."})
    if request.form.text("confirm") != "yes":
        shown = fitting(records, lambda record: [record.name, " " * 60], NAME_ROOM)
        return Page("tokens_revoke_chosen.html", "Revoke these tokens?", {"records": records, "shown": shown})
    done = revoke_each(request.organization.tokens, [record.id for record in records], actor=request.actor)
    return partly_revoked(request, done) if done.left else Redirect(request.here("incident"), "chosen-tokens-revoked")


def _chosen(request: PageRequest) -> Iterable[str]:
    """The ids of tokens that a form names, or of all that fetched what it asks about."""
    if request.form.text("which") != "all":
        return " ".join(request.form.all("chosen")).split()
    question = _of_form(request.form)
    try:
        found, _ = _installs(request, _suspects(request, question), question)
    except InvalidFields:  # the page says so
        return ()
    return [one.key.token for one in found]


def _of_url(query: SentForm) -> Question:
    package, version = query.text("package"), query.text("version")
    what = f"{package}@{version}" if version else package
    return Question(what, query.text("from"), query.text("to"))


def _of_form(form: SentForm) -> Question:
    return Question(form.raw("what").strip(), form.text("from"), form.text("to"))


def _suspects(request: PageRequest, question: Question) -> Suspects:
    """What a question is about. Raises `InvalidFields`."""
    if weight(question.what) > QUESTION_ROOM:
        raise InvalidFields({"what": "This is too much for a page: ask in parts, or run 'nproxy-mw exposure'."})
    with field_at("what"):
        return suspects_of(question.what, request.site.firewall_of(request.parts["org"]))


def _of_upstream(request: PageRequest, suspects: Suspects) -> list[str]:
    """The entries about public packages. Raises `InvalidFields` when there are none."""
    internal = request.organization.settings.get().internal_scopes
    names = {entry: f"@{entry[1:].partition('@')[0]}" if entry[0] == "@" else "" for entry in suspects.entries}
    entries = [entry for entry, name in names.items() if not name or parse_name(name).scope not in internal]
    if not entries:
        raise InvalidFields({"what": "Rules are about packages of the upstream: unpublish an internal one instead."})
    return entries


def _span(question: Question, now: datetime) -> tuple[datetime, datetime]:
    return asked_span(_whole(question.since, now), _whole(question.until, now), now)


def _whole(text: str, now: datetime) -> str | None:
    """Returns a typed time as the API takes it; what is none stays, for the check to refuse."""
    try:
        return timestamp(parse_moment(text, now)) if text else None
    except ValueError:
        return text


def _installs(request: PageRequest, suspects: Suspects, question: Question) -> tuple[Sequence[Install], bool]:
    since, until = _span(question, utc_now())
    return exposed(request.organization.ledger.storage, suspects, since, until, MAX_FOUND)


def _found(request: PageRequest, question: Question, problems: Mapping[str, str] | None = None) -> Page:
    try:
        found, is_complete = _installs(request, _suspects(request, question), question)
    except InvalidFields as error:
        return _page(request, question, problems=error.fields)
    return _page(request, question, found=found, is_complete=is_complete, problems=problems)


def _tokens(request: PageRequest) -> Mapping[str, TokenRecord]:
    return {token.id: token for token in request.organization.tokens.list(revoked=True)}


def _is_in_use(tokens: Mapping[str, TokenRecord], token: str) -> bool:
    return token in tokens and tokens[token].revoked_at is None


def _page(
    request: PageRequest,
    question: Question,
    *,
    found: Sequence[Install] | None = None,
    is_complete: bool = True,
    problems: Mapping[str, str] | None = None,
) -> Page:
    fetchers = {one.key.token: None for one in found or () if one.key.token}
    tokens = request.organization.tokens.with_ids(fetchers) if fetchers else {}
    used = sorted(fetchers, key=lambda one: not _is_in_use(tokens, one))

    def name_of(token: str) -> str:
        return tokens[token].name if token in tokens else ""

    values: dict[str, Any] = {
        "what": question.what if weight(question.what) <= QUESTION_ROOM else "",
        "since": question.since[:40],
        "until": question.until[:40],
        "reason": request.form.text("reason")[:MAX_REASON],
        "total": len(found) if found is not None else None,
        "times": sum(one.times for one in found or ()),
        "rows": fitting(found or (), lambda one: [*map(str, one.key), name_of(one.key.token), " " * 150], ROOM),
        "is_complete": is_complete,
        "used": fitting(used, lambda one: [one, name_of(one), " " * 150], TOKEN_ROOM),
        "used_total": len(used),
        "addresses": len({one.key.ip for one in found or ()}),
        "tokens": tokens,
        "problems": problems or {},
        "days": SPAN.days,
        "max_found": MAX_FOUND,
        "max_reason": MAX_REASON,
    }
    return Page("incident.html", "Incident", values, 400 if problems else 200)
