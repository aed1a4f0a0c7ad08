"""What the rules cost on one of the largest packuments: CPU of one thread, next to parsing the same document.

    python tests/bench/bench_rules.py [--versions 2600] [--rounds 7]

The packument is made up: 19 MB, 2,600 versions, most of them prereleases, as those of a framework with nightly builds.
*Cold* is the first look at a packument: no version was parsed before. *Rules* are all fifteen at their defaults with
every mode on, and the decision that they are merged into.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))

from nproxy_mw.intelligence.popular import POPULAR
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.intelligence.score import score
from nproxy_mw.npm import versions
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.slices import outline, split
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.times import timestamp

NOW = datetime(2026, 11, 26, tzinfo=UTC)
RULES = SHIPPED.configured({rule: {**values, "mode": "warn"} for rule, values in SHIPPED.defaults().items()})


def numbers(count: int) -> list[str]:
    """Versions of a framework: canaries, then a release with its patches, line after line."""
    lines = [
        [f"{line // 6 + 9}.{line % 6}.0-canary.{build}" for build in range(40)]
        + [f"{line // 6 + 9}.{line % 6}.{patch}" for patch in range(4)]
        for line in range(count // 44 + 1)
    ]
    return [number for line in lines for number in line][:count]


def manifest(version: str, place: int) -> dict[str, Any]:
    """A manifest of about 8 kB: what users need is a seventh of it."""
    return {
        "name": "frame",
        "version": version,
        "description": "The framework for everything",
        "dependencies": {f"dependency-{one}": f"^{one}.{place % 7}.0" for one in range(18)},
        "optionalDependencies": {f"@frame/native-{one}": version for one in range(9)},
        "devDependencies": {f"@types/development-{one}": f"{one}.0.{place % 50}" for one in range(190)},
        "peerDependencies": {"view": "^18 || ^19"},
        "scripts": {f"script-{one}": f"node scripts/{one}.js --with some arguments" for one in range(12)}
        | {"prepare": "tsc"},
        "bin": {"frame": "./dist/bin/frame"},
        "engines": {"node": ">=18.18.0"},
        "_npmUser": {"name": ("ann", "bob", "robot")[place % 3], "email": "a@frame.example"},
        "maintainers": [{"name": name, "email": f"{name}@frame.example"} for name in ("ann", "bob", "robot")],
        "dist": {
            "integrity": f"sha512-{place:086d}==",
            "shasum": f"{place:040x}",
            "tarball": f"https://upstream.example/frame/-/frame-{version}.tgz",
            "fileCount": 6000 + place,
            "unpackedSize": 90_000_000 + place,
            "signatures": [{"keyid": "SHA256:x", "sig": "MEUCIQ" + "x" * 90}],
            **({"attestations": {"url": "x", "provenance": {"predicateType": "slsa"}}} if place > 1500 else {}),
        },
    }


def document(count: int) -> bytes:
    """The packument."""
    made = numbers(count)
    first = NOW - timedelta(hours=33 * len(made))
    times = {version: timestamp(first + timedelta(hours=33 * place)) for place, version in enumerate(made)}
    stable = [version for version in made if "-" not in version]
    return orjson.dumps(
        {
            "name": "frame",
            "dist-tags": {"latest": stable[-1], "canary": made[-1]},
            "versions": {version: manifest(version, place) for place, version in enumerate(made)},
            "time": {"created": times[made[0]], "modified": times[made[-1]], **times},
            "maintainers": [{"name": "ann"}, {"name": "bob"}],
            "readme": "# Frame\n" + "All about it. " * 3000,
        }
    )


def knowledge(history: History) -> Knowledge:
    """Two advisories of the hundreds of versions that real ones affect."""
    affected = [release.version for release in history.releases[:800]]
    alerts = tuple(
        Alert(version=version, kind="vulnerability", id=name, severity="high", fixed=("13.0.1",), published=NOW)
        for name in ("GHSA-1", "GHSA-2")
        for version in affected
    )
    return Knowledge(now=NOW, alerts=alerts, score=score(history, NOW, POPULAR))


def best(rounds: int, step: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> tuple[float, Any]:
    """The least CPU of several rounds, in milliseconds, and what the last round gave."""
    least, result = float("inf"), None
    for _ in range(rounds):
        before()
        gc.collect()
        began = time.process_time()
        result = step()
        least = min(least, time.process_time() - began)
    return least * 1000, result


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=2600)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    raw = document(options.versions)
    parsed, _ = best(options.rounds, lambda: orjson.loads(raw))
    splitting, packument = best(options.rounds, lambda: split(outline(raw), "frame"))
    reading, history = best(options.rounds, lambda: read_history(packument))

    def fresh() -> History:
        """The history again, without what earlier rounds computed of it."""
        return read_history(packument)

    made: list[History] = []
    known = knowledge(history)
    rows = [("orjson.loads of the document", parsed), ("split into slices", splitting), ("history read", reading)]
    for name, forget in (("rules, cold", versions._cached.cache_clear), ("rules, versions known", lambda: None)):

        def prepare(forget: Callable[[], Any] = forget) -> None:
            forget()
            made[:] = [fresh()]

        rows.append((name, best(options.rounds, lambda: judge(made[0], RULES, known), prepare)[0]))
    scored, _ = best(options.rounds, lambda: score(fresh(), NOW, POPULAR))
    rows.append(("the score, with reading the history", scored))
    print(f"{len(raw) / 1e6:.1f} MB, {len(history.releases)} versions, least CPU of {options.rounds} rounds")
    for name, least in rows:
        print(f"{name:38} {least:7.1f} ms {least / parsed:7.1%} of parsing")


if __name__ == "__main__":
    main()
