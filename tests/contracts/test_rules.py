"""Every rule that the library has keeps the contract, at its default parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from nproxy_mw.rules.catalog import RuleDefinition
from nproxy_mw.rules.port import Rule
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.testing import RuleContract

DEFAULTS = SHIPPED.defaults()


class TestShippedRules(RuleContract):
    """Each of them."""

    @pytest.fixture(params=list(SHIPPED), ids=lambda definition: definition.id)
    def definition(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def rule(self, definition: RuleDefinition) -> Rule:
        return definition.rule

    @pytest.fixture
    def parameters(self, definition: RuleDefinition) -> Mapping[str, Any]:
        return {name: value for name, value in DEFAULTS[definition.id].items() if name != "mode"}
