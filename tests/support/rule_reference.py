"""The rules once more, straight from their definitions in docs/rules.md and from nothing of the package.

Everything is read from the packument as JSON, slowly and literally, so that the two can be held against each other. A
rule's answer maps each flagged version to (until, warns): when the flag ends by itself, and whether it only warns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cmp_to_key
from itertools import pairwise
from math import floor
from typing import Any

Answer = dict[str, tuple[datetime | None, bool]]
Number = tuple[int, int, int, list[str]]

INSTALL = ("preinstall", "install", "postinstall")
LOOSE = re.compile(r"[v=\s]*(\d+)\.(\d+)\.(\d+)(?:-?((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?")


def number_of(text: str) -> Number | None:
    found = LOOSE.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3]), found[4].split(".") if found[4] else []) if found else None


def compare(one: str, other: str) -> int:
    """Semver's precedence; what is no version is below every version."""
    a, b = number_of(one), number_of(other)
    if a is None or b is None:
        return (a is not None) - (b is not None)
    for left, right in zip(a[:3], b[:3], strict=True):
        if left != right:
            return 1 if left > right else -1
    if not a[3] or not b[3]:
        return (not a[3]) - (not b[3])
    for x, y in zip(a[3], b[3], strict=False):
        if x == y:
            continue
        if x.isdigit() and y.isdigit():
            if int(x) == int(y):
                continue
            return 1 if int(x) > int(y) else -1
        if x.isdigit() != y.isdigit():
            return -1 if x.isdigit() else 1
        return 1 if x > y else -1
    return (len(a[3]) > len(b[3])) - (len(a[3]) < len(b[3]))


def is_stable(text: str) -> bool:
    number = number_of(text)
    return number is not None and not number[3]


def major(text: str) -> int | None:
    number = number_of(text)
    return number[0] if number else None


def moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


class Reference:
    """One packument at one moment."""

    def __init__(self, document: Any, now: datetime) -> None:
        self.now = now
        self.versions: Mapping[str, Any] = document["versions"]
        self.times = {key: found for key, text in document["time"].items() if (found := moment(text))}
        self.by_number = sorted(self.versions, key=cmp_to_key(compare))
        self.order = self._by_publication()

    def has_import_times(self) -> bool:
        pairs = reversed_ = 0
        for of_major in {major(version) for version in self.versions}:
            dated = [version for version in self.by_number if version in self.times and major(version) == of_major]
            for lower, higher in pairwise(dated):
                pairs += 1
                reversed_ += self.times[lower] > self.times[higher]
        return reversed_ > pairs / 5

    def _by_publication(self) -> list[str]:
        if self.has_import_times():
            return self.by_number
        placed = []
        for place, version in enumerate(self.by_number):
            known = [one for one in self.by_number[: place + 1] if one in self.times]
            placed.append((self.times[known[-1]].timestamp() if known else float("-inf"), place, version))
        return [version for _, _, version in sorted(placed)]

    def stable_below(self, version: str, of_major: int | None = None) -> str | None:
        below = [
            one
            for one in self.by_number
            if is_stable(one) and compare(one, version) < 0 and (of_major is None or major(one) == of_major)
        ]
        return below[-1] if below else None

    def scripts(self, version: str, names: Sequence[str] = INSTALL) -> dict[str, str]:
        written = self.versions[version].get("scripts", {})
        found = {name: written[name] for name in names if written.get(name)}
        if names is INSTALL and self.versions[version].get("gypfile") and not {"install", "preinstall"} & found.keys():
            found["install"] = "node-gyp rebuild"
        return found

    def dependencies(self, version: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self.versions[version].get("dependencies", {})
        return found

    # The rules.

    def first_seen(self, days: int, unknown: str) -> Answer:
        if days == 0:
            return {}
        dated = [time for key, time in self.times.items() if key not in ("created", "modified", "unpublished")]
        created = self.times.get("created") or min(dated, default=None)
        if created is None:
            return dict.fromkeys(self.versions, (None, False)) if unknown == "block" else {}
        age = timedelta(milliseconds=days * 86_400_000)
        return dict.fromkeys(self.versions, (created + age, False)) if created > self.now - age else {}

    def unexpected_deps(self) -> Answer:
        if len(self.order) < 2:
            return {}
        newest = self.order[-3:] if len(self.order) > 3 else self.order[1:]
        older = [version for version in self.order if version not in newest]
        known = {name for version in older for name in self.dependencies(version)}
        return {version: (None, False) for version in newest if set(self.dependencies(version)) - known}

    def publisher_change(self) -> Answer:
        users = {version: one.get("_npmUser", {}).get("name") for version, one in self.versions.items()}
        named = [version for version in self.order if users[version]]
        if len(named) < 5:
            return {}
        first = named[: floor(0.8 * len(named))]
        known = {users[version] for version in first}
        return {version: (None, False) for version in named[len(first) :] if users[version] not in known}

    def install_scripts(self) -> Answer:
        names = (*INSTALL, "prepare")
        return {version: (None, False) for version in self.versions if self.scripts(version, names)}

    def version_age(self, hours: int, unknown: str, exempt: Iterable[str] = ()) -> Answer:
        if hours == 0:
            return {}
        age = timedelta(hours=hours)
        found: Answer = {}
        for version in self.versions:
            time = self.times.get(version)
            if time is None and unknown == "block":
                found[version] = (None, False)
            elif time is not None and time > self.now - age and version not in exempt:
                found[version] = (time + age, False)
        return found

    def urgent_fixes(self, hours: int, advisories: Sequence[Mapping[str, Any]]) -> set[str]:
        """Versions that are the fix of a high or critical advisory, by what each advisory affects and names."""
        young = {
            one for one in self.versions if one in self.times and self.times[one] > self.now - timedelta(hours=hours)
        }
        malware = {version for one in advisories if one["kind"] == "malware" for version in one["affects"]}
        offered = [one for one in self.by_number if is_stable(one) and one not in young and one not in malware]
        suspicious = self.script_added().keys() | self.exotic_dependency().keys() | self.trust_downgrade(365).keys()
        return {
            version
            for version in young - suspicious
            for one in advisories
            if one["kind"] == "vulnerability"
            and one["severity"] in ("high", "critical")
            and offered
            and offered[-1] in one["affects"]
            and version in one["fixed"]
            and one["published"] < self.times[version]
        }

    def script_added(self) -> Answer:
        found: Answer = {}
        for version in self.versions:
            before = self.stable_below(version, major(version)) or self.stable_below(version)
            scripts = self.scripts(version)
            if before is not None and scripts and scripts != self.scripts(before):
                found[version] = (None, False)
        return found

    def exotic_dependency(self) -> Answer:
        found: Answer = {}
        for version in self.versions:
            if self._takes_exotic(version):
                before = self.stable_below(version, major(version)) if major(version) is not None else None
                found[version] = (None, before is not None and self._takes_exotic(before))
        return found

    def _takes_exotic(self, version: str) -> bool:
        manifest = self.versions[version]
        values = [*self.dependencies(version).values(), *manifest.get("optionalDependencies", {}).values()]
        return any(not value.startswith("npm:") and re.search(r"[:/\\]|^\.|\.t(ar\.)?gz$", value) for value in values)

    def trust_downgrade(self, ignore_after_days: int) -> Answer:
        if ignore_after_days == 0:
            return {}
        age = timedelta(days=ignore_after_days)
        found: Answer = {}
        for place, version in enumerate(self.order):
            earlier = [one for one in self.order[:place] if is_stable(one) and major(one) == major(version)]
            best = max(map(self._evidence, earlier), default=0)
            time = self.times.get(version)
            if self._evidence(version) < best and (time is None or time > self.now - age):
                found[version] = (time + age if time else None, False)
        return found

    def _evidence(self, version: str) -> int:
        user, dist = self.versions[version].get("_npmUser", {}), self.versions[version].get("dist", {})
        if user.get("approver"):
            return 3
        if not dist.get("attestations", {}).get("provenance"):
            return 0
        return 2 if user.get("trustedPublisher") else 1

    def patch_new_dependency(self) -> Answer:
        found: Answer = {}
        for place, version in enumerate(self.order):
            number = number_of(version)
            earlier = {name for one in self.order[:place] for name in self.dependencies(one)}
            if place and number and number[2] > 0 and set(self.dependencies(version)) - earlier:
                found[version] = (None, False)
        return found

    def removed_upstream(self, raw_times: Iterable[str], withdrawn: Iterable[str]) -> Answer:
        untold = set(raw_times) - {"created", "modified", "unpublished"} - set(self.versions)
        return dict.fromkeys(untold | set(withdrawn), (None, False))


def repaired_tags(tags: Mapping[str, str], left: Sequence[str]) -> dict[str, str]:
    """Dist-tags when only the versions *left* are left, step by step as the definition has them."""
    found: dict[str, str] = {}
    stable = sorted((version for version in left if is_stable(version)), key=cmp_to_key(compare))
    for tag, old in tags.items():
        below = [version for version in stable if number_of(old) and compare(version, old) < 0]
        steps: list[Callable[[], list[str]]] = [
            lambda old=old: [old] if old in left else [],
            lambda below=below, old=old: [version for version in below if major(version) == major(old)],
            lambda below=below: below,
            lambda: stable,
        ]
        candidates = next((chosen for step in steps if (chosen := step())), None)
        if candidates:
            found[tag] = candidates[-1]
    return found
