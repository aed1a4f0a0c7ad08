"""Form fields from JSON schemas: how a value is shown in a form, and what the form's text means as JSON.

A new setting, or a new parameter of a rule, thus has its field without a line here. The checks stay where they are: in
the type of the setting. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.labels import label_of

FLAG, CHOICE, NUMBER, LINES = "flag", "choice", "number", "lines"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. *name* is the path of the value, *value* what the form shows, and *problem* what is wrong with it."""

    name: str
    kind: str
    label: str
    sentence: str
    value: Any
    schema: Json
    problem: str = ""

    @property
    def id(self) -> str:
        """The field's id in the page."""
        return "f-" + self.name.replace(".", "-")


def fields_of(name: str, schema: Json, value: Any, problems: Mapping[str, str] | None = None) -> Iterator[Field]:
    """Yields the fields for a value: one, or one for each member of an object. Null shows as empty fields."""
    found = problems or {}
    inner = _without_null(schema)
    if inner.get("type") == "object":
        sentence = _sentence(schema)
        for member, kind in inner["properties"].items():
            shown = (value or {}).get(member)
            yield from fields_of(f"{name}.{member}", {"description": sentence, **kind}, shown, found)
        return
    yield Field(name, _kind(inner), label_of(name), _sentence(schema), value, inner, found.get(name, ""))


def value_of(name: str, schema: Json, form: SentForm) -> Any:
    """Returns what a form says of the value *name*. Text that is no number stays text, for the check to refuse."""
    inner = _without_null(schema)
    if inner.get("type") == "object":
        members = {
            key: value_of(f"{name}.{key}", {**kind, "null": True}, form) for key, kind in inner["properties"].items()
        }
        given = {key: value for key, value in members.items() if value is not None}
        return given or None if inner is not schema else given
    kind, text = _kind(inner), form.text(name)
    if kind == FLAG:
        return form.is_checked(name)
    if kind == LINES:
        return [line.strip() for line in form.raw(name).splitlines() if line.strip()]
    if kind == NUMBER:
        return _number(text, inner) if text else None
    return text


def _number(text: str, schema: Json) -> Any:
    try:
        return int(text) if schema["type"] == "integer" else float(text)
    except ValueError:
        return text


def _sentence(schema: Json) -> str:
    """What a schema says of its value, for people: in a form, null is an empty field."""
    return str(schema.get("description", "")).replace("Null is ", "Empty means ")


def _kind(schema: Json) -> str:
    if "enum" in schema:
        return CHOICE
    return {"boolean": FLAG, "array": LINES}.get(schema.get("type", ""), NUMBER)


def _without_null(schema: Json) -> Json:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    return kinds[0] if kinds else schema
