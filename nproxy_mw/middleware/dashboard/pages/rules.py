"""What each security rule does: its mode and parameters, as fields that follow from the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.fields import Field, fields_of, value_of
from nproxy_mw.middleware.dashboard.pages.settings import CHANGED, revision_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.settings_fields import Settings, SettingsError


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


def save(request: PageRequest) -> Answer:
    """Changes the rules that differ in the form."""
    store = request.organization.settings
    before = store.get()
    if request.form.text("revision") != revision_of(before):
        return _form(request, before, alert=CHANGED, status=409)
    asked = {rule: value_of(f"rules.{rule}", _schema(store, rule), request.form) for rule in store.catalog.ids}
    change = {rule: values for rule, values in asked.items() if values != before.rules[rule]}
    try:
        after = store.change({"rules": change}, actor=request.actor)
    except SettingsError as error:
        return _form(request, before, asked, error.fields, status=400)
    return Redirect(request.here("rules"), "rules-saved" if after != before else "settings-unchanged")


def _schema(store: Any, rule: str) -> Any:
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
    shown = {**settings.rules, **(asked or {})}
    forms = [
        RuleForm(
            rule.id,
            rule.sentence,
            list(fields_of(f"rules.{rule.id}", rule.type.schema, shown[rule.id], problems)),
            settings.rules[rule.id] == rule.defaults,
        )
        for rule in store.catalog
    ]
    note = Settings.table()["rules"].not_applied
    return Page(
        "rules.html",
        "Rules",
        {"forms": forms, "note": note, "alert_text": alert, "revision": revision_of(settings)},
        status,
    )
