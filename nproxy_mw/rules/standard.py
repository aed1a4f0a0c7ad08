"""The rules of this package, in the order in which their findings are told; and rules with an organization's settings.

The order puts first what a developer must know first: malware, then what else is known, then what is only unusual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nproxy_mw.json_values import Json
from nproxy_mw.rules.engine import Configured
from nproxy_mw.rules.exotic_dependency import ExoticDependency
from nproxy_mw.rules.first_seen import FirstSeen
from nproxy_mw.rules.held_dependency import HeldDependency
from nproxy_mw.rules.install_scripts import InstallScripts
from nproxy_mw.rules.low_score import LowScore
from nproxy_mw.rules.malware import Malware
from nproxy_mw.rules.manifest_mismatch import ManifestMismatch
from nproxy_mw.rules.patch_new_dependency import PatchNewDependency
from nproxy_mw.rules.port import Rule
from nproxy_mw.rules.publisher_change import PublisherChange
from nproxy_mw.rules.removed_upstream import RemovedUpstream
from nproxy_mw.rules.script_added import ScriptAdded
from nproxy_mw.rules.trust_downgrade import TrustDowngrade
from nproxy_mw.rules.unexpected_deps import UnexpectedDeps
from nproxy_mw.rules.version_age import VersionAge
from nproxy_mw.rules.vulnerability import Vulnerability

STANDARD: tuple[Rule, ...] = (
    Malware(),
    RemovedUpstream(),
    ManifestMismatch(),
    Vulnerability(),
    ExoticDependency(),
    ScriptAdded(),
    TrustDowngrade(),
    PatchNewDependency(),
    UnexpectedDeps(),
    PublisherChange(),
    InstallScripts(),
    FirstSeen(),
    VersionAge(),
    HeldDependency(),
    LowScore(),
)


def configured(settings: Mapping[str, Json], rules: Iterable[Rule] = STANDARD) -> tuple[Configured, ...]:
    """Returns *rules* with the modes and parameters of *settings*, which are by the rule's id.

    A rule without settings is off.
    """
    given = [(rule, dict(settings.get(rule.id, {"mode": "off"}))) for rule in rules]
    return tuple(Configured(rule, parameters.pop("mode"), parameters) for rule, parameters in given)
