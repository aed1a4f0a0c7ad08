"""What a setting is, and the types of settings: how a value of each is changed, stored, loaded, shown and described.

Simple values are checked, and kept as they came. Rules are merged one parameter at a time. A new exception gets an
author, and one that stands already keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field

from nproxy_mw.json_values import Json
from nproxy_mw.rules import exception_documents, exceptions
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.exceptions import Exceptions
from nproxy_mw.rules.values import Problems, ValueType


class ProposedChange(Struct, frozen=True):
    """One change of settings: who asks for it and when, by which catalog of rules, and what is invalid in it."""

    author: str
    now: datetime
    catalog: Catalog
    problems: Problems = field(default_factory=Problems)


class SettingType(Protocol):
    """What can be done with the values of one type. A value in memory is never changed in place."""

    def schema(self, catalog: Catalog) -> Json:
        """Returns the JSON schema of a value, and of a change of one."""
        ...

    def change(self, current: Any, given: Any, path: str, change: ProposedChange) -> Any:
        """Returns the value that *given*, from outside, makes of *current*; problems go into *change*."""
        ...

    def load(self, stored: Any, catalog: Catalog) -> Any:
        """Returns the value that `store` stored. Raises ValueError, KeyError or TypeError when it is damaged."""
        ...

    def show(self, value: Any) -> Any:
        """Returns the value as JSON, whole."""
        ...

    def store(self, value: Any, before: Any, catalog: Catalog) -> Any:
        """Returns the value as JSON to be stored in the place of *before*, which is None when there was none."""
        ...


class Setting(Struct, frozen=True):
    """One setting. *name* is its member in JSON, and *sentence* says to people what it does.

    *is_required* says that stored settings without it are damaged; others are at their default where they are not
    stored.
    """

    name: str
    default: Any
    type: SettingType
    sentence: str
    is_required: bool = False


class Simple:
    """A value that *value_type* describes. A list is kept as a tuple."""

    def __init__(self, value_type: ValueType) -> None:
        self.value_type = value_type

    def schema(self, catalog: Catalog) -> Json:
        """Returns the schema of the value type."""
        return self.value_type.schema

    def change(self, current: Any, given: Any, path: str, change: ProposedChange) -> Any:
        """Returns what is given."""
        self.value_type.check(given, path, change.problems)
        return tuple(given) if isinstance(given, list) else given

    def load(self, stored: Any, catalog: Catalog) -> Any:
        """Returns what is stored."""
        problems = Problems()
        self.value_type.check(stored, "value", problems)
        if problems:
            raise ValueError(f"A stored setting is invalid: {problems.fields}")
        return tuple(stored) if isinstance(stored, list) else stored

    def show(self, value: Any) -> Any:
        """Returns a copy."""
        if isinstance(value, Mapping):
            return dict(value)
        return list(value) if isinstance(value, tuple) else value

    def store(self, value: Any, before: Any, catalog: Catalog) -> Any:
        """Returns a copy."""
        return self.show(value)


class Rules:
    """The mode and the parameters of every rule of the catalog, by its id."""

    def schema(self, catalog: Catalog) -> Json:
        """Returns the schema of the catalog."""
        return catalog.schema()

    def change(self, current: Mapping[str, Json], given: Any, path: str, change: ProposedChange) -> dict[str, Json]:
        """Returns the current rules with the given members changed."""
        return change.catalog.merge(current, given, path, change.problems)

    def load(self, stored: Mapping[str, Json], catalog: Catalog) -> dict[str, Json]:
        """Returns all rules, those that are not stored at their defaults."""
        return catalog.load(stored)

    def show(self, value: Mapping[str, Json]) -> dict[str, Any]:
        """Returns a copy."""
        return {rule: dict(values) for rule, values in value.items()}

    def store(self, value: Mapping[str, Json], before: Mapping[str, Json] | None, catalog: Catalog) -> dict[str, Json]:
        """Returns the rules that are not at their defaults, and what another version stored."""
        return catalog.dump(value, before or {})


class ExceptionList:
    """The exceptions from the rules."""

    def schema(self, catalog: Catalog) -> Json:
        """Returns the schema of a list of exceptions."""
        item = exception_documents.type_of(catalog).schema
        return {"type": "array", "items": item, "maxItems": exception_documents.MAX_EXCEPTIONS}

    def change(self, current: Exceptions, given: Any, path: str, change: ProposedChange) -> Exceptions:
        """Returns the given exceptions, each with its author."""
        return exception_documents.merge(
            current, given, path, change.problems, author=change.author, now=change.now, catalog=change.catalog
        )

    def load(self, stored: Iterable[Json], catalog: Catalog) -> Exceptions:
        """Returns the stored exceptions."""
        return Exceptions(map(exceptions.load, stored))

    def show(self, value: Exceptions) -> list[dict[str, Any]]:
        """Returns the exceptions as documents."""
        return [exception.to_document() for exception in value]

    def store(self, value: Exceptions, before: Any, catalog: Catalog) -> list[dict[str, Any]]:
        """Returns the exceptions as documents."""
        return self.show(value)
