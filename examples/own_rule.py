"""A registry with a rule of the host's own: packages that compile native code when they are installed.

``gunicorn examples.own_rule:application``. A rule is a class with an *id* and a ``check``; it has no base class. It
reaches no clock, network or storage: what it may know is handed to it (`nproxy_mw.rules.port`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw import registry
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.catalog import RuleDefinition
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.shipped import SHIPPED


class NativeBuild:
    """Flags versions that run node-gyp when they are installed."""

    id = "native_build"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version that compiles."""
        for release in history.releases:
            if any("node-gyp" in script for script in release.install_scripts.values()):
                yield Verdict(release.version, "it compiles native code, and our images have no compiler")


catalog = SHIPPED.with_rules(RuleDefinition(NativeBuild(), "block", "Flags packages that compile native code."))

application = registry(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    internal_scopes=["@acme"],
    upstream=os.environ.get("NPROXY_UPSTREAM"),
    catalog=catalog,
)
