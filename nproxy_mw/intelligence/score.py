"""The score of a package: a documented heuristic from 0 (stay away) to 1 (nothing speaks against it). Pure.

Each sign takes its weight off 1, in full or in part. None of them proves anything; together they say how much a package
looks like those that turned out to be bad. The weights are the table `WEIGHTS`, and docs/intelligence.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from nproxy_mw.intelligence.likeness import likeness
from nproxy_mw.npm.facts import NO_EVIDENCE, History, Release

WEIGHTS = {
    "new": 0.20,  # created less than 30 days ago; half of it below 90 days
    "few_releases": 0.10,  # fewer than 3 versions
    "few_maintainers": 0.05,  # one maintainer is named, and no other
    "scripts": 0.15,  # the newest version runs code at install
    "no_provenance": 0.05,  # the upstream passes on provenance, and the newest version has none
    "burst": 0.15,  # 5 or more versions within one hour during the last 30 days
    "size_jump": 0.15,  # the newest version is at least 5 times as large as the median of those before
    "revival": 0.20,  # a version of the last 30 days after a silence of at least two years
    "like_popular": 0.35,  # a name within one edit of a much used one
}
"""What each sign takes off."""

_MONTH, _QUARTER, _SILENCE = timedelta(days=30), timedelta(days=90), timedelta(days=730)
_HOUR = timedelta(hours=1)


def score(history: History, now: datetime, popular: Iterable[str] = ()) -> float:
    """Returns the score of a package, rounded to hundredths. *popular* are names that others are confused with."""
    return round(max(0.0, 1 - sum(WEIGHTS[sign] * share for sign, share in signs(history, now, popular).items())), 2)


def signs(history: History, now: datetime, popular: Iterable[str] = ()) -> dict[str, float]:
    """Returns the signs that were found, each with its share from 0 to 1.

    What the packument does not say is no sign. Times of a mirror are none: they say when it imported the versions.
    """
    releases = history.by_publication
    times = [] if history.has_import_times else [one.published for one in releases if one.published]
    shares = {
        "new": _newness(history, now),
        "few_releases": float(len(releases) < 3),
        "few_maintainers": float(len(history.maintainers) == 1),
        "scripts": float(bool(releases and releases[-1].install_scripts)),
        "no_provenance": float(bool(releases) and releases[-1].evidence == NO_EVIDENCE),
        "burst": float(_burst(times, now)),
        "size_jump": float(_size_jump(releases)),
        "revival": float(_revival(times, now)),
        "like_popular": float(likeness(history.name, popular) is not None),
    }
    return {sign: share for sign, share in shares.items() if share}


def next_change(history: History, now: datetime) -> datetime | None:
    """Returns the next moment after *now* at which time alone may change the score, or None."""
    created = _created(history)
    month_ago = now - _MONTH
    young = [one.published for one in history.releases if one.published and one.published > month_ago]
    edges = [one + _MONTH for one in young if one < now]
    edges += [created + age for age in (_MONTH, _QUARTER) if created and now - _QUARTER < created < now]
    return min((edge for edge in edges if edge > now), default=None)


def _created(history: History) -> datetime | None:
    return history.created or min((one.published for one in history.releases if one.published), default=None)


def _newness(history: History, now: datetime) -> float:
    created = _created(history)
    if created is None or history.has_import_times:
        return 0.0
    return 1.0 if created > now - _MONTH else 0.5 if created > now - _QUARTER else 0.0


def _burst(times: list[datetime], now: datetime) -> bool:
    month_ago = now - _MONTH
    young = sorted(time for time in times if time > month_ago)
    return any(late - early <= _HOUR for early, late in zip(young, young[4:], strict=False))


def _size_jump(releases: tuple[Release, ...]) -> bool:
    sizes = [one.unpacked_size for one in releases if one.unpacked_size]
    if len(sizes) < 4 or releases[-1].unpacked_size is None:
        return False
    before = sorted(sizes[:-1])
    return sizes[-1] >= 5 * before[len(before) // 2]


def _revival(times: list[datetime], now: datetime) -> bool:
    return len(times) > 1 and times[-1] > now - _MONTH and times[-1] - times[-2] >= _SILENCE
