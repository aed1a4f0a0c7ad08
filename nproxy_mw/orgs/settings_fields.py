"""The settings of an organization as a value: one table, of which everything else is made.

A row of the table is a field of `Settings`, made by `row`: the setting's attribute, its name in JSON, its default, its
type and a sentence for people. The management API, its description, what is stored and the documentation follow from
it, so a new setting is one new row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import is_internal_scope
from nproxy_mw.orgs.setting_types import ExceptionList, ProposedChange, Rules, Setting, SettingType, Simple
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.exceptions import Exceptions
from nproxy_mw.rules.shipped import MAX_DAYS, SHIPPED
from nproxy_mw.rules.values import FLAG, InvalidFields, list_of, number, object_of, one_of, or_null, shown, simple

MAX_SCOPES = 100
MAX_PER_MINUTE = 1_000_000

_SCOPE = simple(
    lambda value: isinstance(value, str) and is_internal_scope(value),
    "A scope is written like '@acme': after the '@' come lower-case letters, digits, '-', '_' and '.'.",
    {"type": "string", "pattern": "^@[a-z0-9_-][a-z0-9._-]*$"},
)
_SCOPES = list_of(
    _SCOPE, most=MAX_SCOPES, sentence=f'This must be a list of at most {MAX_SCOPES} scopes such as ["@acme"].'
)
_RATE = number(1, MAX_PER_MINUTE, whole=True)
_RATES = object_of(
    {"requestsPerMinute": _RATE, "publishesPerMinute": _RATE},
    least=1,
    sentence="This must be null, or an object with requestsPerMinute, publishesPerMinute or both.",
)


class SettingsError(InvalidFields):
    """400: a change of settings is invalid. *fields* has a sentence per field, by its path; nothing was changed."""

    code = "invalid-settings"


def row(name: str, default: Any, type_: SettingType, sentence: str, *, is_required: bool = False) -> Any:
    """Returns a field of `Settings`; see `Setting`."""
    setting = Setting(name, default, type_, sentence, is_required)
    return field(default_factory=lambda: default, metadata={"setting": setting})


@dataclass(frozen=True, slots=True)
class Settings:
    """What an organization has decided. The defaults are those of an organization that has decided nothing.

    *rules* holds every rule of the catalog with its mode and parameters.
    """

    internal_scopes: tuple[str, ...] = row(
        "internalScopes",
        (),
        Simple(_SCOPES),
        "npm scopes whose packages are this organization's own. The upstream is never asked about them.",
        is_required=True,
    )
    public_reads: bool = row(
        "publicReads",
        True,
        Simple(FLAG),
        "Whether upstream packages can be read without a token.",
        is_required=True,
    )
    rules: Mapping[str, Json] = row(
        "rules",
        SHIPPED.defaults(),
        Rules(),
        "What each security rule does with upstream packages. Null sets a rule to its defaults.",
    )
    exceptions: Exceptions = row(
        "exceptions",
        Exceptions(),
        ExceptionList(),
        "Packages that the rules let through, each with a reason and an end.",
    )
    rate_limit: Json | None = row(
        "rateLimit",
        None,
        Simple(or_null(_RATES)),
        "How many requests and how many changes one caller may make in a minute: a token, or an address that sends "
        "none. Null is no limit.",
    )
    version_unpublish: bool = row(
        "versionUnpublish",
        False,
        Simple(FLAG),
        "Whether one version of a package can be unpublished, and not only the whole package.",
    )
    ledger_days: int = row(
        "ledgerDays",
        90,
        Simple(number(1, MAX_DAYS, whole=True)),
        "How many days the record of installs is kept.",
    )
    slim_packuments: bool = row(
        "slimPackuments",
        True,
        Simple(FLAG),
        "Whether npm's installer gets packuments that leave out what it does not read.",
    )
    audit_without_advisories: str = row(
        "auditWithoutAdvisories",
        "empty",
        Simple(one_of("empty", "not-found")),
        "What npm audit gets when neither the upstream nor this registry has advisories: 'empty' is a report without "
        "findings; 'not-found' is a 404, so that nobody takes 'unknown' for 'no vulnerabilities'.",
    )

    @classmethod
    def table(cls) -> dict[str, Setting]:
        """Returns the rows of the table by attribute."""
        return {found.name: found.metadata["setting"] for found in fields(cls)}

    @classmethod
    def defaults(cls, catalog: Catalog = SHIPPED) -> Self:
        """Returns the settings of an organization that has decided nothing."""
        return cls(rules=catalog.defaults())

    @classmethod
    def schemas(cls, catalog: Catalog = SHIPPED) -> dict[str, Any]:
        """Returns the JSON schema of each setting, by its name."""
        return {
            setting.name: {**setting.type.schema(catalog), "description": setting.sentence}
            for setting in cls.table().values()
        }

    @classmethod
    def from_document(cls, document: Json, catalog: Catalog = SHIPPED) -> Self:
        """Returns the settings that `stored_document` described. What this version does not know is left out.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: the document is damaged.
        """
        values = {
            attribute: setting.type.load(document[setting.name], catalog)
            for attribute, setting in cls.table().items()
            if setting.is_required or setting.name in document
        }
        return replace(cls.defaults(catalog), **values)

    def changed(self, change: object, *, author: str, now: datetime, catalog: Catalog = SHIPPED) -> Self:
        """Returns the settings with those changed that *change* names; the others stay.

        Raises:
            SettingsError: something in *change* is invalid.
        """
        if not isinstance(change, dict):
            raise SettingsError({"body": 'This must be a JSON object such as {"internalScopes": ["@acme"]}.'})
        asked = ProposedChange(author, now, catalog)
        table = {setting.name: (attribute, setting.type) for attribute, setting in self.table().items()}
        no_such = f"There is no such setting; the settings are {', '.join(table)}."
        values: dict[str, Any] = {}
        for name, given in change.items():
            if name in table:
                attribute, type_ = table[name]
                values[attribute] = type_.change(getattr(self, attribute), given, name, asked)
            else:
                asked.problems.add(shown(name), no_such)
        if asked.problems:
            raise SettingsError(asked.problems.fields, count=asked.problems.count)
        return replace(self, **values)

    def to_document(self) -> dict[str, Any]:
        """Returns the settings as the management API shows them, whole."""
        return {
            setting.name: setting.type.show(getattr(self, attribute)) for attribute, setting in self.table().items()
        }

    def stored_document(self, before: Json | None = None, catalog: Catalog = SHIPPED) -> dict[str, Any]:
        """Returns the settings as they are stored in the place of *before*.

        Settings, rules and parameters that *before* has and this version does not know stay as they are.
        """
        kept = before or {}
        return dict(kept) | {
            setting.name: setting.type.store(getattr(self, attribute), kept.get(setting.name), catalog)
            for attribute, setting in self.table().items()
        }
