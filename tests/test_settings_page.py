"""docs/settings.md, whose tables come from those in the code."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from support.rules import FlagsNothing

from nproxy_mw.orgs.setting_types import Simple
from nproxy_mw.orgs.settings_fields import Settings, row
from nproxy_mw.rules.catalog import RuleDefinition
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.rules.values import FLAG

SCRIPT = Path(__file__).parent.parent / "docs" / "tables.py"
spec = importlib.util.spec_from_file_location("tables", SCRIPT)
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)


@dataclass(frozen=True, slots=True)
class More(Settings):
    """The settings and one more."""

    color: bool = row("color", True, Simple(FLAG), "Whether there is color.")


def test_page_has_the_tables_of_the_code():
    """When this fails: python docs/tables.py."""
    page = tables.PAGE.read_text()
    assert tables.with_tables(page) == page
    assert f"\n{tables.settings_table()}\n" in page
    assert f"\n{tables.rules_table()}\n" in page


def test_new_setting_and_rule_are_rows():
    """A row of the table and a rule of the catalog stand in the page without further ado."""
    assert "| `color` | `true` | Whether there is color. |" in tables.settings_table(More)
    catalog = SHIPPED.with_rules(RuleDefinition(FlagsNothing("own"), "warn", "Flags."))
    assert tables.rules_table(catalog).endswith("\n| `own` | warn | Flags. |")
