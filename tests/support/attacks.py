"""Eleven attacks on the public registry in 2025 and 2026, as their packuments stood half an hour after the publish.

The names are neutral; the numbers, dependencies, scripts, publishers and evidence are modelled on what was reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.histories import ago, packument

SEVEN = frozenset(
    {"malware", "vulnerability", "first_seen", "unexpected_deps", "publisher_change", "install_scripts", "score"}
)

PROVENANCE = {"attestations": {"url": "https://upstream.example/-/npm/v1/attestations/x", "provenance": {"x": "slsa"}}}
ROBOT = {"name": "GitHub Actions", "trustedPublisher": {"id": "github"}}


@dataclass(frozen=True)
class Attack:
    """A packument, the version that was bad in it, and the rules that flag that version, in two groups."""

    document: Any
    version: str
    seven: frozenset[str]
    beyond: frozenset[str]
    mismatches: Mapping[str, str] = field(default_factory=dict)


def lines(numbers: Sequence[str], first: float, **manifest: Any) -> dict[str, dict[str, Any]]:
    """Versions at even distances, from *first* days ago up to ten days ago."""
    step = (first - 10) / max(1, len(numbers) - 1)
    return {number: {"time": ago(days=first - step * place), **manifest} for place, number in enumerate(numbers)}


def attack(
    name: str, before: dict[str, Any], version: str, seven: str, beyond: str, mismatch: str = "", **manifest: Any
) -> Attack:
    """The package with its versions of *before*, to which *version* came half an hour ago, with *manifest*."""
    versions = before | {version: {"time": ago(minutes=30), **manifest}}
    created = {"created": next(iter(versions.values()))["time"]}
    document = packument(
        name=name,
        versions=versions,
        time=created,
        tags={"latest": version},
        maintainers=[{"name": "ann"}, {"name": "bob"}],
    )
    mismatches = {version: mismatch} if mismatch else {}
    return Attack(document, version, frozenset(seven.split()), frozenset(beyond.split()), mismatches)


ANN: dict[str, Any] = {"_npmUser": {"name": "ann"}}

MONOREPO_TOOL = attack(
    "monorepo-tool",
    lines([f"{major}.{minor}.0" for major in (20, 21) for minor in range(5)], 400, dist=PROVENANCE, **ANN),
    "21.5.0",
    "install_scripts",
    "script_added trust_downgrade version_age",
    scripts={"postinstall": "node telemetry.js"},
    **ANN,
)
"""Published with a stolen token, outside the pipeline that signs."""

COLORS = attack(
    "terminal-colors",
    lines([f"{major}.{minor}.0" for major in (3, 4, 5) for minor in range(6)], 3000, **ANN),
    "5.6.1",
    "",
    "version_age",
    **ANN,
)
"""The maintainer's own account, taken over by a letter; the payload is in the code alone."""

TINY_COLOR = attack(
    "@paint/tiny",
    lines([f"4.{minor}.{patch}" for minor in (0, 1) for patch in range(4)], 900, **ANN),
    "4.1.4",
    "install_scripts",
    "script_added version_age",
    scripts={"postinstall": "node bundle.js", "build": "tsc"},
    **ANN,
)
"""The first wave of a worm."""

ANALYTICS = attack(
    "analytics-node",
    lines([f"5.{minor}.0" for minor in range(13)], 500, dependencies={"rxjs": "^7"}, **ANN),
    "5.13.2",
    "install_scripts",
    "script_added version_age",
    dependencies={"rxjs": "^7"},
    scripts={"preinstall": "node setup_bun.js"},
    **ANN,
)
"""The second wave."""

HTTP_CLIENT = attack(
    "http-client",
    lines([f"1.{minor}.0" for minor in range(8)], 1500, dependencies={"form-data": "^4"}, **ANN)
    | lines(
        [f"1.{minor}.0" for minor in range(8, 15)],
        300,
        dependencies={"form-data": "^4"},
        dist=PROVENANCE,
        _npmUser=ROBOT,
    ),
    "1.14.1",
    "unexpected_deps",
    "trust_downgrade patch_new_dependency version_age",
    dependencies={"form-data": "^4", "plain-crypto": "^4.2.1"},
    **ANN,
)
"""A maintainer's old token; the payload comes with a new dependency."""

PLAIN_CRYPTO = attack(
    "plain-crypto",
    {"4.2.0": {"time": ago(hours=18), "_npmUser": {"name": "eve"}}},
    "4.2.1",
    "first_seen install_scripts",
    "script_added version_age",
    scripts={"postinstall": "node setup.js"},
    _npmUser={"name": "eve"},
)
"""That dependency: a clean version first, the bad one 18 hours later."""

PASSWORD_CLI = attack(
    "@vault/cli",
    lines([f"2026.{month}.0" for month in range(1, 11)], 320, **ANN),
    "2026.10.1",
    "install_scripts",
    "script_added version_age",
    scripts={"preinstall": "node bw_setup.js"},
    **ANN,
)
"""A pipeline that was made to publish."""

ROUTER = attack(
    "@router/core",
    lines([f"1.{minor}.0" for minor in range(20)], 700, dist=PROVENANCE, _npmUser=ROBOT, dependencies={"store": "^1"}),
    "1.20.1",
    "",
    "exotic_dependency version_age",
    dist=PROVENANCE,
    _npmUser=ROBOT,
    dependencies={"store": "^1"},
    optionalDependencies={"@router/setup": "github:router/router#79ac49eedf774dd4b0cfa308722bc463cfe5885c"},
)
"""Validly attested; the payload is a git dependency with a prepare script."""

VOICE = attack(
    "@voice/sdk",
    lines([f"0.{minor}.0" for minor in range(8)], 200, **ANN),
    "0.7.1",
    "",
    "manifest_mismatch version_age",
    mismatch="its tarball has a binding.gyp, which the packument does not tell of",
    **ANN,
)
"""npm builds a binding.gyp that no script names."""

AGENTS = attack(
    "@agents/core",
    lines([f"0.{minor}.0" for minor in range(20)], 600, dependencies={"zod": "^3"}, _npmUser={"name": "bob"}),
    "0.19.1",
    "unexpected_deps publisher_change",
    "patch_new_dependency version_age",
    dependencies={"zod": "^3", "agents-telemetry": "1.0.0"},
    _npmUser={"name": "eve"},
)
"""A contributor whose access nobody had taken away."""

KEY_VALUE = attack(
    "key-value",
    lines([f"{major}.{minor}.0" for major in (4, 5) for minor in range(6)], 1200, **ANN),
    "6.0.0",
    "install_scripts",
    "script_added version_age",
    scripts={"postinstall": "node index.cjs"},
    **ANN,
)
"""A new major version."""

ATTACKS = {
    "monorepo tool, August 2025": MONOREPO_TOOL,
    "terminal colors, September 2025": COLORS,
    "tiny color, September 2025": TINY_COLOR,
    "analytics, November 2025": ANALYTICS,
    "HTTP client, March 2026": HTTP_CLIENT,
    "plain crypto, March 2026": PLAIN_CRYPTO,
    "password manager, April 2026": PASSWORD_CLI,
    "router, May 2026": ROUTER,
    "voice SDK, June 2026": VOICE,
    "agents, June 2026": AGENTS,
    "key-value store, August 2026": KEY_VALUE,
}
