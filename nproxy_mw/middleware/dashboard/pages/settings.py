"""The settings of an organization, but its rules and exceptions, which have pages of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.fields import Field, fields_of, value_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.settings_fields import Settings, SettingsError

ELSEWHERE = ("rules", "exceptions")
"""Settings with pages of their own."""

CHANGED = "Somebody else changed the settings meanwhile. This form shows them as they are now: change it again."


def show(request: PageRequest) -> Answer:
    """Returns the form with the present settings."""
    return _form(request, request.organization.settings.get())


def save(request: PageRequest) -> Answer:
    """Changes the settings that differ in the form."""
    store = request.organization.settings
    before = store.get()
    if request.form.text("revision") != revision_of(before):
        return _form(request, before, alert=CHANGED, status=409)
    shown = before.to_document()
    asked = {name: value_of(name, schema, request.form) for name, schema in _schemas(store.catalog).items()}
    change = {name: value for name, value in asked.items() if value != shown[name]}
    try:
        after = store.change(change, actor=request.actor)
    except SettingsError as error:
        return _form(request, before, asked, error.fields, status=400)
    return Redirect(request.here("settings"), "settings-saved" if after != before else "settings-unchanged")


def revision_of(settings: Settings) -> str:
    """Returns a digest of the settings: a form that was made of others must not overwrite these."""
    return hashlib.sha256(orjson.dumps(settings.to_document(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _form(
    request: PageRequest,
    settings: Settings,
    asked: Mapping[str, Any] | None = None,
    problems: Mapping[str, str] | None = None,
    *,
    alert: str = "",
    status: int = 200,
) -> Page:
    shown = {**settings.to_document(), **(asked or {})}
    fields: list[Field] = []
    for name, schema in _schemas(request.organization.settings.catalog).items():
        fields += fields_of(name, schema, shown[name], problems)
    values = {"fields": fields, "alert_text": alert, "revision": revision_of(settings)}
    return Page("settings.html", "Settings", values, status)


def _schemas(catalog: Any) -> dict[str, Any]:
    return {name: schema for name, schema in Settings.schemas(catalog).items() if name not in ELSEWHERE}
