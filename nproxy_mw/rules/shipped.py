"""The rules of this package, with their defaults: one row for each."""

from __future__ import annotations

from collections.abc import Mapping

from nproxy_mw.rules.blocklist import ENTRIES, Blocklist
from nproxy_mw.rules.catalog import ON_OR_OFF, Catalog, Parameter, RuleDefinition
from nproxy_mw.rules.exotic_dependency import ExoticDependency
from nproxy_mw.rules.first_seen import FirstSeen
from nproxy_mw.rules.held_dependency import HeldDependency
from nproxy_mw.rules.install_scripts import InstallScripts
from nproxy_mw.rules.low_score import LowScore
from nproxy_mw.rules.malware import Malware
from nproxy_mw.rules.manifest_mismatch import ManifestMismatch
from nproxy_mw.rules.patch_new_dependency import PatchNewDependency
from nproxy_mw.rules.publisher_change import PublisherChange
from nproxy_mw.rules.removed_upstream import RemovedUpstream
from nproxy_mw.rules.script_added import ScriptAdded
from nproxy_mw.rules.trust_downgrade import TrustDowngrade
from nproxy_mw.rules.unexpected_deps import UnexpectedDeps
from nproxy_mw.rules.values import FLAG, number, one_of
from nproxy_mw.rules.version_age import VersionAge
from nproxy_mw.rules.vulnerability import SEVERITIES, Vulnerability

MAX_DAYS = 3650


def _unknown(what: str, default: str) -> Mapping[str, Parameter]:
    return {"unknown": Parameter(default, one_of("allow", "block"), f"What to do with a version {what}.")}


def _days(default: int, sentence: str) -> Parameter:
    return Parameter(default, number(0, MAX_DAYS, whole=True), sentence)


SHIPPED = Catalog(
    (
        RuleDefinition(
            Blocklist(),
            "on",
            "Blocks what an administrator put on the block list: packages, versions or ranges of them.",
            {"entries": Parameter([], ENTRIES, "A name, name@version or name@range, and the reason after #.")},
            modes=ON_OR_OFF,
        ),
        RuleDefinition(
            Malware(),
            "block",
            "Flags versions that are known as malware, typosquatting, protestware or the work of a troll.",
        ),
        RuleDefinition(
            Vulnerability(),
            "block",
            "Flags versions with a known vulnerability of the given severity or above.",
            {
                "severity": Parameter("high", one_of(*SEVERITIES), "The lowest severity that is flagged."),
                **_unknown("whose vulnerability has no known severity", "block"),
            },
        ),
        RuleDefinition(
            FirstSeen(),
            "block",
            "Flags every version of a package whose name is new.",
            {
                "days": _days(7, "How many days a name is new; 0 turns the rule off."),
                **_unknown("of a package without any publish time", "allow"),
            },
        ),
        RuleDefinition(
            UnexpectedDeps(),
            "warn",
            "Flags one of the three newest versions when it has a dependency that no older version had.",
        ),
        RuleDefinition(
            PublisherChange(),
            "warn",
            "Flags a recent version whose publisher published none of the earlier versions.",
        ),
        RuleDefinition(
            InstallScripts(),
            "warn",
            "Flags versions with a preinstall, install, postinstall or prepare script.",
        ),
        RuleDefinition(
            LowScore(),
            "warn",
            "Flags the versions of a package whose score is below the threshold.",
            {"threshold": Parameter(0.4, number(0, 1, whole=False), "The lowest score that is not flagged.")},
        ),
        RuleDefinition(
            VersionAge(),
            "block",
            "Flags versions that were published a short time ago.",
            {
                "hours": Parameter(48, number(0, 24 * MAX_DAYS, whole=True), "How many hours a version is flagged."),
                "fixes": Parameter(
                    True,
                    FLAG,
                    "Whether to let a young version through when it fixes a high or critical vulnerability of the "
                    "newest allowed version.",
                ),
                **_unknown("without a publish time", "allow"),
            },
        ),
        RuleDefinition(
            ScriptAdded(),
            "warn",
            "Flags versions whose install scripts differ from those of the stable version before them.",
        ),
        RuleDefinition(
            ExoticDependency(),
            "block",
            "Flags versions with a dependency from git, a URL or a file where the stable version before had none.",
        ),
        RuleDefinition(
            TrustDowngrade(),
            "warn",
            "Flags versions with weaker evidence of who built them than an earlier stable version of the same major.",
            {"ignoreAfterDays": _days(365, "Age in days from which a version is not flagged.")},
        ),
        RuleDefinition(
            PatchNewDependency(),
            "warn",
            "Flags patch releases with a dependency that no earlier version had.",
        ),
        RuleDefinition(
            RemovedUpstream(),
            "block",
            "Flags versions that the upstream has removed.",
        ),
        RuleDefinition(
            HeldDependency(),
            "on",
            "Holds a version while its new dependency has no allowed version, so that installs use an older one.",
            modes=ON_OR_OFF,
        ),
        RuleDefinition(
            ManifestMismatch(),
            "block",
            "Flags versions whose tarball contradicts the packument: seen when it is fetched for the first time.",
        ),
    )
)
