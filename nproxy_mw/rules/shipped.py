"""The rules of this package, with their defaults: one row for each."""

from __future__ import annotations

from collections.abc import Mapping

from nproxy_mw.rules.catalog import Catalog, Parameter, RuleDefinition
from nproxy_mw.rules.values import FLAG, number, one_of

MAX_DAYS = 3650
SEVERITIES = ("low", "moderate", "high", "critical")


def _unknown(what: str, default: str) -> Mapping[str, Parameter]:
    return {"unknown": Parameter(default, one_of("allow", "block"), f"What to do with a version {what}.")}


def _days(default: int, sentence: str) -> Parameter:
    return Parameter(default, number(0, MAX_DAYS, whole=True), sentence)


SHIPPED = Catalog(
    (
        RuleDefinition(
            "malware",
            "block",
            "Flags versions that are known as malware, typosquatting, protestware or the work of a troll.",
        ),
        RuleDefinition(
            "vulnerability",
            "block",
            "Flags versions with a known vulnerability of the given severity or above.",
            {
                "severity": Parameter("high", one_of(*SEVERITIES), "The lowest severity that is flagged."),
                **_unknown("whose vulnerability has no known severity", "block"),
            },
        ),
        RuleDefinition(
            "first_seen",
            "block",
            "Flags every version of a package whose name is new.",
            {
                "days": _days(7, "How many days a name is new; 0 turns the rule off."),
                **_unknown("of a package without any publish time", "allow"),
            },
        ),
        RuleDefinition(
            "unexpected_deps",
            "warn",
            "Flags one of the three newest versions when it has a dependency that no older version had.",
        ),
        RuleDefinition(
            "publisher_change",
            "warn",
            "Flags a recent version whose publisher published none of the earlier versions.",
        ),
        RuleDefinition(
            "install_scripts",
            "warn",
            "Flags versions with a preinstall, install, postinstall or prepare script.",
        ),
        RuleDefinition(
            "score",
            "warn",
            "Flags the versions of a package whose score is below the threshold.",
            {"threshold": Parameter(0.4, number(0, 1, whole=False), "The lowest score that is not flagged.")},
        ),
        RuleDefinition(
            "version_age",
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
            "script_added",
            "warn",
            "Flags versions whose install scripts differ from those of the stable version before them.",
        ),
        RuleDefinition(
            "exotic_dependency",
            "block",
            "Flags versions with a dependency from git, a URL or a file where the stable version before had none.",
        ),
        RuleDefinition(
            "trust_downgrade",
            "warn",
            "Flags versions with weaker evidence of who built them than an earlier stable version of the same major.",
            {"ignoreAfterDays": _days(365, "Age in days from which a version is not flagged.")},
        ),
        RuleDefinition(
            "patch_new_dependency",
            "warn",
            "Flags patch releases with a dependency that no earlier version had.",
        ),
        RuleDefinition(
            "removed_upstream",
            "block",
            "Flags versions that the upstream has removed.",
        ),
        RuleDefinition(
            "held_dependency",
            "on",
            "Holds a version while its new dependency has no allowed version, so that installs use an older one.",
            modes=("on", "off"),
        ),
        RuleDefinition(
            "manifest_mismatch",
            "block",
            "Flags versions whose tarball has a package.json that differs from the packument.",
        ),
    )
)
