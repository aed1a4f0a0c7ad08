"""The settings of an organization as a value, and the check of each field. Pure.

*Strategy:* each check takes the present value, the wish, and a dictionary in which it leaves a sentence for each place
that will not do; it answers the new value, which nobody looks at when there are sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import is_internal_scope
from nproxy_mw.rules.catalog import RULES, default_rules, known_parts, merge_rules, number, shown
from nproxy_mw.rules.exceptions import check_exceptions

MAX_SCOPES = 100
MAX_PER_MINUTE = 1_000_000
RATES = ("requestsPerMinute", "publishesPerMinute")
"""What ``rateLimit`` may hold: how often one token, or one address without a token, may ask; and publish."""


class SettingsError(BadRequest):
    """400: settings that will not do. *fields* has a sentence per field, by its path; nothing was changed."""

    code = "invalid-settings"

    def __init__(self, fields: Mapping[str, str]) -> None:
        sentences = " ".join(f"{path}: {sentence}" for path, sentence in fields.items())
        super().__init__(f"Nothing was changed. {sentences}")
        self.fields = dict(fields)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an organization has decided. The defaults are those of an organization that has decided nothing.

    *rules* holds every rule with its mode and parameters. *exceptions* and *rate_limit* are as in the management API.
    """

    internal_scopes: tuple[str, ...] = ()
    public_reads: bool = True
    rules: Mapping[str, Json] = field(default_factory=default_rules)
    exceptions: tuple[Json, ...] = ()
    rate_limit: Json | None = None
    version_unpublish: bool = False

    def to_document(self) -> dict[str, Any]:
        """The settings in the management API's words, whole."""
        return {
            "internalScopes": list(self.internal_scopes),
            "publicReads": self.public_reads,
            "rules": {name: dict(rule) for name, rule in self.rules.items()},
            "exceptions": [dict(exception) for exception in self.exceptions],
            "rateLimit": dict(self.rate_limit) if self.rate_limit is not None else None,
            "versionUnpublish": self.version_unpublish,
        }


def changed(settings: Settings, wish: object, *, author: str, now: datetime) -> Settings:
    """Answers *settings* with what *wish* names changed; all the rest stays.

    Raises:
        SettingsError: something in *wish* will not do.
    """
    if not isinstance(wish, dict):
        raise SettingsError({"body": 'This is a JSON object such as {"internalScopes": ["@acme"]}.'})
    fields: dict[str, str] = {}
    values: dict[str, Any] = {}
    for key, value in wish.items():
        if key == "exceptions":
            values["exceptions"] = check_exceptions(settings.exceptions, value, fields, author, now)
        elif key in _CHECKS:
            attribute, check = _CHECKS[key]
            values[attribute] = check(getattr(settings, attribute), value, fields)
        else:
            fields[shown(key)] = f"There is no such setting; the settings are {', '.join(Settings().to_document())}."
    if fields:
        raise SettingsError(fields)
    return replace(settings, **values)


def stored_document(settings: Settings) -> dict[str, Any]:
    """The settings as they are stored: without rules at their defaults, so that better defaults reach everybody."""
    document = settings.to_document()
    document["rules"] = {name: rule for name, rule in document["rules"].items() if rule != RULES[name].defaults}
    return document


def from_document(document: Json) -> Settings:
    """The settings that `stored_document` described. What a newer version added is passed over.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    fields: dict[str, str] = {}
    rules = merge_rules(default_rules(), known_parts(document["rules"]), fields)
    settings = Settings(
        internal_scopes=tuple(document["internalScopes"]),
        public_reads=document["publicReads"],
        rules=rules,
        exceptions=tuple(document["exceptions"]),
        rate_limit=document["rateLimit"],
        version_unpublish=document["versionUnpublish"],
    )
    if fields or not all(is_internal_scope(scope) for scope in settings.internal_scopes):
        raise ValueError("not a rule's setting, or not a scope")
    if not isinstance(settings.public_reads, bool) or not isinstance(settings.version_unpublish, bool):
        raise TypeError("not a truth value")
    return settings


def _check_scopes(_: tuple[str, ...], wish: Any, fields: dict[str, str]) -> tuple[str, ...]:
    if not isinstance(wish, list) or len(wish) > MAX_SCOPES:
        fields["internalScopes"] = f'This is a list of at most {MAX_SCOPES} scopes such as ["@acme"].'
        return ()
    for place, scope in enumerate(wish, 1):
        if not isinstance(scope, str):
            fields["internalScopes"] = f"Entry {place} is not text: a scope is text such as '@acme'."
        elif not scope.startswith("@"):
            fields["internalScopes"] = f"Entry {place} does not begin with '@': a scope is written like '@acme'."
        elif not is_internal_scope(scope):
            fields["internalScopes"] = (
                f"Entry {place} is not a scope: after the '@' come lower-case letters, digits, '-', '_' and '.'."
            )
        elif scope in wish[: place - 1]:
            fields["internalScopes"] = f"Entry {place} stands in the list twice."
        else:
            continue
        return ()
    return tuple(wish)


def _flag(key: str) -> Callable[[bool, Any, dict[str, str]], bool]:
    def check(current: bool, wish: Any, fields: dict[str, str]) -> bool:
        if isinstance(wish, bool):
            return wish
        fields[key] = "This is true or false."
        return current

    return check


def _check_rate_limit(current: Json | None, wish: Any, fields: dict[str, str]) -> Json | None:
    if wish is None:
        return None
    if not isinstance(wish, dict) or not wish:
        fields["rateLimit"] = f"This is null, or an object with {' and '.join(RATES)}."
        return current
    check = number(1, MAX_PER_MINUTE, whole=True)
    for key, value in wish.items():
        problem = check(value) if key in RATES else f"There is no such limit; there are {' and '.join(RATES)}."
        if problem:
            fields[f"rateLimit.{shown(key)}"] = problem
    return wish


_CHECKS: Mapping[str, tuple[str, Callable[[Any, Any, dict[str, str]], Any]]] = MappingProxyType(
    {
        "internalScopes": ("internal_scopes", _check_scopes),
        "publicReads": ("public_reads", _flag("publicReads")),
        "rules": ("rules", merge_rules),
        "rateLimit": ("rate_limit", _check_rate_limit),
        "versionUnpublish": ("version_unpublish", _flag("versionUnpublish")),
    }
)
