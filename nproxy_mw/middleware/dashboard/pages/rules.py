"""What each security rule does: its mode and parameters, as fields that follow from the catalog.

A change is previewed before it is saved: what it would do to the versions that clients fetched lately. The preview has
the whole form in hidden fields, so that it works without scripts and nothing is kept in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nproxy_mw.firewall.preview import SPAN, Preview, fetched_versions, preview
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.fields import Field, fields_of, value_of
from nproxy_mw.middleware.dashboard.pages.settings import CHANGED, revision_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.texts import fitting
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.settings_fields import Settings, SettingsError
from nproxy_mw.times import utc_now

SECONDS = 8.0
"""That a preview takes at most. What was not looked at by then is counted on the page."""

ROOM = 40_000
"""Bytes of the table of a preview."""

EDIT = "edit"
"""What the button of a preview says that leads back to the form."""


@dataclass(frozen=True, slots=True)
class RuleForm:
    """One rule: what it does, its fields, and whether it is at its defaults."""

    id: str
    sentence: str
    fields: list[Field]
    is_default: bool


def show(request: PageRequest) -> Answer:
    """Returns the form with the present rules."""
    return _form(request, request.organization.settings.get())


def ask(request: PageRequest) -> Answer:
    """Returns the preview of the rules in the form, to be saved or changed again."""
    store = request.organization.settings
    before = store.get()
    if request.form.text("revision") != revision_of(before):
        return _form(request, before, alert=CHANGED, status=409)
    asked, now = _asked(request, store), utc_now()
    change = _difference(before, asked)
    if not change:
        return Redirect(request.here("rules"), "settings-unchanged")
    try:
        after = before.changed({"rules": change}, author=request.actor.name, now=now, catalog=store.catalog)
    except SettingsError as error:
        return _form(request, before, asked, error.fields, status=400)
    found = _previewed(request, before, after)
    rows = fitting(found.changes, lambda row: [row[0].package, row[0].version, *_reasons(row[0].rules)], ROOM)
    values = {
        "differences": list(_differences(before, after)),
        "found": found,
        "rows": [(change, times, _reasons(change.rules)) for change, times in rows],
        "counts": _counts(found),
        "has_upstream": request.site.firewall_of(request.organization.id) is not None,
        "days": SPAN.days,
        "sent": [(name, value) for name, values in request.form.fields.items() for value in values if _is_kept(name)],
    }
    return Page("rules_preview.html", "Preview of the rules", values)


def save(request: PageRequest) -> Answer:
    """Changes the rules that differ in the form, or shows the form again when its preview led back."""
    store = request.organization.settings
    before = store.get()
    if request.form.text("revision") != revision_of(before):
        return _form(request, before, alert=CHANGED, status=409)
    asked = _asked(request, store)
    if request.form.text("answer") == EDIT:
        return _form(request, before, asked)
    try:
        after = store.change({"rules": _difference(before, asked)}, actor=request.actor)
    except SettingsError as error:
        return _form(request, before, asked, error.fields, status=400)
    return Redirect(request.here("rules"), "rules-saved" if after != before else "settings-unchanged")


def _asked(request: PageRequest, store: SettingsStore) -> dict[str, Any]:
    return {rule: value_of(f"rules.{rule}", _schema(store, rule), request.form) for rule in store.catalog.ids}


def _difference(before: Settings, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {rule: values for rule, values in asked.items() if values != before.rules[rule]}


def _differences(before: Settings, after: Settings) -> Iterator[tuple[str, str, str, str]]:
    """What the form changes: rule, parameter, old and new value."""
    for rule, values in after.rules.items():
        for name, value in values.items():
            if value != before.rules[rule][name]:
                yield rule, name, _text(before.rules[rule][name]), _text(value)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "–" if isinstance(value, list | tuple) else str(value).lower()


def _previewed(request: PageRequest, before: Settings, after: Settings) -> Preview:
    organization, now = request.organization, utc_now()
    firewall = request.site.firewall_of(organization.id)
    if firewall is None:
        return Preview((), 0, 0)
    end = time.monotonic() + SECONDS
    fetched = fetched_versions(organization.ledger.storage, now - SPAN, now)
    return preview(firewall, fetched, before, after, may_go_on=lambda: time.monotonic() < end)


def _counts(found: Preview) -> Mapping[str, int]:
    """How many versions would have each verdict that they do not have now."""
    counts: dict[str, int] = {}
    for change, _ in found.changes:
        counts[change.after] = counts.get(change.after, 0) + 1
    return counts


def _reasons(rules: Mapping[str, str]) -> list[str]:
    return [f"{rule}: {reason}" for rule, reason in rules.items()]


def _is_kept(name: str) -> bool:
    return name == "revision" or name.startswith("rules.")


def _schema(store: SettingsStore, rule: str) -> Any:
    return store.catalog[rule].type.schema


def _form(
    request: PageRequest,
    settings: Settings,
    asked: Mapping[str, Any] | None = None,
    problems: Mapping[str, str] | None = None,
    *,
    alert: str = "",
    status: int = 200,
) -> Page:
    store = request.organization.settings
    shown = {rule: {**values, **(asked or {}).get(rule, {})} for rule, values in settings.rules.items()}
    forms = [
        RuleForm(
            rule.id,
            rule.sentence,
            list(fields_of(f"rules.{rule.id}", rule.type.schema, shown[rule.id], problems)),
            settings.rules[rule.id] == rule.defaults,
        )
        for rule in store.catalog
    ]
    return Page(
        "rules.html",
        "Rules",
        {"forms": forms, "alert_text": alert, "revision": revision_of(settings)},
        status,
    )
