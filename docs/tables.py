"""Writes the tables of settings.md from the tables in the code: ``python docs/tables.py``."""

from __future__ import annotations

import json
from pathlib import Path

from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.catalog import Catalog, RuleDefinition
from nproxy_mw.rules.shipped import SHIPPED

PAGE = Path(__file__).parent / "settings.md"
_RULES = "see below"


def settings_table(settings: type[Settings] = Settings) -> str:
    """Returns a row for each setting: its name, its default and what it does."""
    shown = settings().to_document() | {"rules": _RULES}
    rows = ["| setting | default | |", "|---|---|---|"]
    for setting in settings.table().values():
        default = shown[setting.name]
        value = default if default is _RULES else f"`{json.dumps(default)}`"
        rows.append(f"| `{setting.name}` | {value} | {setting.sentence} |")
    return "\n".join(rows)


def rules_table(catalog: Catalog = SHIPPED) -> str:
    """Returns a row for each rule: its id, its default mode, what it flags and its parameters."""
    rows = ["| rule | mode | |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| `{rule.id}` | {rule.mode} | {_rule(rule)} |" for rule in catalog)])


def _rule(rule: RuleDefinition) -> str:
    parameters = [
        f"`{name}` ({json.dumps(parameter.default)}): {parameter.sentence}"
        for name, parameter in rule.parameters.items()
    ]
    return "<br>".join([rule.sentence, *parameters])


def with_tables(page: str) -> str:
    """Returns the page with its tables made anew."""
    for name, table in (("settings", settings_table()), ("rules", rules_table())):
        begin, end = f"<!-- {name}: made by docs/tables.py -->\n\n", f"\n\n<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        page = before + begin + table + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
