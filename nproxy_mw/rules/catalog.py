"""The catalog of rules: which rules there are, what each does, and what an organization can set. Pure.

`SHIPPED` in `nproxy_mw.rules.shipped` has the rules of this package. A host adds its own; see `nproxy_mw.rules.port`
for how to write one::

    catalog = SHIPPED.with_rules(RuleDefinition(NoPrereleases(), "warn", "Flags prereleases."))
    application = registry("file:///srv/npm", catalog=catalog)

What an organization sets is a mapping of each rule's id to its mode and parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from nproxy_mw.json_values import Json
from nproxy_mw.rules.engine import Configured
from nproxy_mw.rules.port import Rule
from nproxy_mw.rules.values import Problems, ValueType, inside, object_of, one_of, shown

MODES = ("block", "warn", "off")
"""What most rules can do: remove the versions that they flag, record an event about them, or not run."""

ON_OR_OFF = ("on", "off")
"""What a rule can do that either blocks or does not run."""

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Parameter(Struct, frozen=True):
    """One thing that can be set on a rule: its default, its type, and a sentence that says what it does."""

    default: Any
    type: ValueType
    sentence: str


class RuleDefinition(Struct, frozen=True):
    """One rule as organizations can set it.

    *mode* is the default and one of *modes*. *sentence* says what the rule does, for people. *parameters* are by name,
    in camelCase.

    Raises:
        ValueError: the rule's id is not of lower-case letters, digits and ``_``, or a default is not a valid value.
    """

    rule: Rule
    mode: str
    sentence: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    modes: tuple[str, ...] = MODES

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not the id of a rule: use lower-case letters, digits and '_'.")
        problems = Problems()
        self.type.check(self.defaults, self.id, problems)
        if problems:
            raise ValueError(f"A default of the rule {self.id} is invalid: {problems.fields}")

    @property
    def id(self) -> str:
        """The id of the rule."""
        return self.rule.id

    @property
    def defaults(self) -> dict[str, Any]:
        """The mode and the parameters of an organization that has not changed them."""
        return {"mode": self.mode} | {name: parameter.default for name, parameter in self.parameters.items()}

    @property
    def type(self) -> ValueType:
        """The type of a change of this rule: any of its members."""
        mode = one_of(*self.modes).described("What the rule does with the versions that it flags.", default=self.mode)
        parameters = {
            name: parameter.type.described(parameter.sentence, default=parameter.default)
            for name, parameter in self.parameters.items()
        }
        rule = object_of(
            {"mode": mode} | parameters, sentence='This must be an object such as {"mode": "warn"}, or null.'
        )
        return rule.described(self.sentence)


class Catalog:
    """The rules that organizations can configure, in the order in which they are listed.

    Raises:
        ValueError: two rules have the same id.
    """

    def __init__(self, definitions: Iterable[RuleDefinition]) -> None:
        self._by_id: dict[str, RuleDefinition] = {}
        for definition in definitions:
            if definition.id in self._by_id:
                raise ValueError(f"There are two rules called {definition.id}: rename one of them.")
            self._by_id[definition.id] = definition
        self._types = {definition.id: definition.type for definition in self}

    def __iter__(self) -> Iterator[RuleDefinition]:
        return iter(self._by_id.values())

    def __contains__(self, rule: object) -> bool:
        return rule in self._by_id

    def __getitem__(self, rule: str) -> RuleDefinition:
        return self._by_id[rule]

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of every rule."""
        return tuple(self._by_id)

    def with_rules(self, *more: RuleDefinition) -> Catalog:
        """Returns this catalog with the rules *more* at its end. Raises ValueError when an id is taken."""
        return Catalog([*self, *more])

    def defaults(self) -> dict[str, Json]:
        """Returns every rule with its default mode and parameters."""
        return {definition.id: definition.defaults for definition in self}

    def configured(self, rules: Mapping[str, Json]) -> tuple[Configured, ...]:
        """Returns the rules as the engine runs them, with an organization's modes and parameters.

        The mode ``on`` is ``block`` to the engine.
        """
        return tuple(_configured(definition.rule, dict(rules[definition.id])) for definition in self)

    def schema(self) -> Json:
        """Returns the JSON schema of rules, and of a change of them."""
        properties = {rule: {"anyOf": [found.schema, {"type": "null"}]} for rule, found in self._types.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def merge(self, current: Mapping[str, Json], change: Any, path: str, problems: Problems) -> dict[str, Json]:
        """Returns *current* with the rules and parameters that *change* names; null sets a rule to its defaults.

        What is invalid is added to *problems*; the result is then incomplete.
        """
        merged = dict(current)
        if not isinstance(change, dict):
            problems.add(path, 'This must be an object such as {"first_seen": {"mode": "warn", "days": 3}}.')
            return merged
        for rule, given in change.items():
            if rule not in self:
                problems.add(inside(path, shown(rule)), f"There is no such rule; the rules are {', '.join(self.ids)}.")
            elif given is None:
                merged[rule] = self[rule].defaults
            elif self._types[rule].accepts(given, inside(path, rule), problems):
                merged[rule] = {**current[rule], **given}
        return merged

    def load(self, stored: Mapping[str, Json]) -> dict[str, Json]:
        """Returns every rule as `dump` stored it. Rules and parameters that this catalog does not have are left out.

        Raises:
            ValueError: a stored mode or parameter is invalid.
        """
        known = {
            rule: {name: value for name, value in stored[rule].items() if name in self[rule].defaults}
            for rule in self.ids
            if rule in stored
        }
        problems = Problems()
        rules = self.merge(self.defaults(), known, "rules", problems)
        if problems:
            raise ValueError(f"The stored rules are invalid: {problems.fields}")
        return rules

    def dump(self, rules: Mapping[str, Json], before: Mapping[str, Json]) -> dict[str, Json]:
        """Returns *rules* as they are stored in the place of *before*.

        A rule at its defaults is not stored, so that better defaults reach everybody. What *before* has and this
        catalog does not know stays: a newer version or a host with more rules wrote it.
        """
        chosen = {rule: values for rule, values in rules.items() if values != self[rule].defaults}
        kept = {rule: self._unknown(rule, values) for rule, values in before.items()}
        merged = {rule: {**kept.get(rule, {}), **chosen.get(rule, {})} for rule in kept | chosen}
        return {rule: values for rule, values in merged.items() if values}

    def _unknown(self, rule: str, values: Json) -> Json:
        if rule not in self:
            return values
        return {name: value for name, value in values.items() if name not in self[rule].defaults}


def _configured(rule: Rule, values: dict[str, Any]) -> Configured:
    mode = values.pop("mode")
    return Configured(rule, "block" if mode == "on" else mode, values)
