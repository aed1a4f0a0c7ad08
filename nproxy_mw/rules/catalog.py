"""Which security rules there are, and what each can be told: one table, and the check of settings against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nproxy_mw.json_values import Json

MODES = ("block", "warn", "off")
SEVERITIES = ("low", "moderate", "high", "critical")
UNKNOWN = ("allow", "block")

MAX_DAYS = 3650
MAX_HOURS = 24 * MAX_DAYS


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a rule can be told: its default, and what *check* says of a value that will not do (else "")."""

    default: Any
    check: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as the settings know it."""

    mode: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """The rule's settings when nobody changed them."""
        return {"mode": self.mode} | {name: parameter.default for name, parameter in self.parameters.items()}


def one_of(values: tuple[str, ...]) -> Callable[[Any], str]:
    """A check for one of *values*."""
    sentence = f"This is one of {', '.join(values)}."
    return lambda value: "" if isinstance(value, str) and value in values else sentence


def number(lowest: float, highest: float, *, whole: bool) -> Callable[[Any], str]:
    """A check for a number within bounds."""
    kinds = int if whole else (int, float)
    sentence = f"This is a {'whole ' if whole else ''}number from {lowest:g} to {highest:g}."

    def check(value: Any) -> str:
        fits = isinstance(value, kinds) and not isinstance(value, bool) and lowest <= value <= highest
        return "" if fits else sentence

    return check


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "malware": Rule("block"),
        "vulnerability": Rule("block", {"severity": Parameter("high", one_of(SEVERITIES))}),
        "first_seen": Rule(
            "block",
            {"days": Parameter(7, number(0, MAX_DAYS, whole=True)), "unknown": Parameter("allow", one_of(UNKNOWN))},
        ),
        "unexpected_deps": Rule("warn"),
        "publisher_change": Rule("warn"),
        "install_scripts": Rule("warn"),
        "score": Rule("warn", {"threshold": Parameter(0.4, number(0, 1, whole=False))}),
        "version_age": Rule(
            "off",
            {"hours": Parameter(72, number(0, MAX_HOURS, whole=True)), "unknown": Parameter("allow", one_of(UNKNOWN))},
        ),
    }
)


def default_rules() -> dict[str, Json]:
    """Every rule with its default mode and parameters."""
    return {name: rule.defaults for name, rule in RULES.items()}


def merge_rules(current: Mapping[str, Json], wish: Any, fields: dict[str, str]) -> dict[str, Json]:
    """Answers *current* with the rules and parameters that *wish* names; a rule given as null is at its default again.

    What will not do is told in *fields*.
    """
    if not isinstance(wish, dict):
        fields["rules"] = 'This is an object such as {"first_seen": {"mode": "warn", "days": 3}}.'
        return dict(current)
    merged = dict(current)
    for name, given in wish.items():
        rule = RULES.get(name)
        if rule is None:
            fields[f"rules.{shown(name)}"] = f"There is no such rule; the rules are {', '.join(RULES)}."
        elif given is None:
            merged[name] = rule.defaults
        elif not isinstance(given, dict):
            fields[f"rules.{name}"] = 'This is an object such as {"mode": "warn"}, or null for the default.'
        else:
            merged[name] = {**current[name], **given}
            _check_rule(name, rule, given, fields)
    return merged


def known_parts(stored: Mapping[str, Json]) -> dict[str, Json]:
    """Answers the rules and parameters of *stored* that this version knows: a newer one may have written more."""
    return {
        name: {key: value for key, value in rule.items() if key in RULES[name].defaults}
        for name, rule in stored.items()
        if name in RULES
    }


def shown(text: str) -> str:
    """What a client sent, short and printable, for a place in an answer's body."""
    return "".join(character for character in text[:40] if character.isprintable())


def _check_rule(name: str, rule: Rule, given: Json, fields: dict[str, str]) -> None:
    checks = {"mode": one_of(MODES)} | {key: parameter.check for key, parameter in rule.parameters.items()}
    for key, value in given.items():
        check = checks.get(key)
        problem = check(value) if check else f"This rule has no such parameter; it has {', '.join(checks)}."
        if problem:
            fields[f"rules.{name}.{shown(key)}"] = problem
