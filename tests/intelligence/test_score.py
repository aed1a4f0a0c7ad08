"""The score: each sign, their sum, and that packages like the much used ones pass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from support.histories import NOW, history_of, releases
from support.packument_strategies import packuments

from nproxy_mw.intelligence.popular import POPULAR
from nproxy_mw.intelligence.score import WEIGHTS, next_change, score, signs
from nproxy_mw.npm.facts import History, Release

DAY = timedelta(days=1)
SOUND = releases([f"1.{minor}.0" for minor in range(10)], every=30 * DAY, unpacked_size=1000)


def package(
    *, name: str = "sound", found: tuple[Release, ...] = SOUND, age: timedelta = 900 * DAY, **how: Any
) -> History:
    return History(name=name, releases=found, created=NOW - age, maintainers=("ann", "bob"), **how)


def at(*ages: timedelta, **facts: Any) -> tuple[Release, ...]:
    """Releases of those ages, the oldest first."""
    return tuple(
        Release(version=f"1.{place}.0", published=NOW - age, **facts)
        for place, age in enumerate(sorted(ages, reverse=True))
    )


def changed(**facts: Any) -> tuple[Release, ...]:
    """The sound releases, and one more with *facts*."""
    return (*SOUND, Release(version="1.10.0", published=NOW - 90 * DAY, **{"unpacked_size": 1000, **facts}))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param(package(), {}, id="nothing speaks against it"),
        pytest.param(package(age=30 * DAY - timedelta(seconds=1)), {"new": 1.0}, id="created less than 30 days ago"),
        pytest.param(package(age=30 * DAY), {"new": 0.5}, id="30 days"),
        pytest.param(package(age=90 * DAY), {}, id="90 days"),
        pytest.param(package(found=SOUND[:2]), {"few_releases": 1.0}, id="two versions"),
        pytest.param(package(found=SOUND[:3]), {}, id="three versions"),
        pytest.param(
            History(name="x", releases=SOUND, maintainers=("ann",)), {"few_maintainers": 1.0}, id="one maintainer"
        ),
        pytest.param(History(name="x", releases=SOUND), {}, id="nobody says who maintains it"),
        pytest.param(package(found=changed(scripts={"install": "x"})), {"scripts": 1.0}, id="scripts"),
        pytest.param(package(found=changed(gypfile=True)), {"scripts": 1.0}, id="a native addon"),
        pytest.param(package(found=changed(scripts={"prepare": "x"})), {}, id="prepare does not run"),
        pytest.param(package(found=changed(evidence=0)), {"no_provenance": 1.0}, id="no provenance"),
        pytest.param(package(found=changed(evidence=1)), {}, id="provenance"),
        pytest.param(package(found=changed(unpacked_size=5000)), {"size_jump": 1.0}, id="five times as large"),
        pytest.param(package(found=changed(unpacked_size=4999)), {}, id="less than five times as large"),
        pytest.param(package(found=changed(unpacked_size=None)), {}, id="nobody says how large it is"),
        pytest.param(
            package(found=at(*(DAY + timedelta(minutes=15) * place for place in range(5)))),
            {"burst": 1.0},
            id="five within an hour",
        ),
        pytest.param(
            package(found=at(*(DAY + timedelta(minutes=16) * place for place in range(5)))), {}, id="in 64 minutes"
        ),
        pytest.param(
            package(found=at(*(30 * DAY + timedelta(minutes=place) for place in range(5)))),
            {},
            id="a burst of last month",
        ),
        pytest.param(package(found=at(740 * DAY, 735 * DAY, 5 * DAY)), {"revival": 1.0}, id="two years of silence"),
        pytest.param(package(found=at(740 * DAY, 734 * DAY, 5 * DAY)), {}, id="a day less"),
        pytest.param(package(found=at(900 * DAY, 800 * DAY, 30 * DAY)), {}, id="revived a month ago"),
        pytest.param(package(name="lodahs"), {"like_popular": 1.0}, id="a name like another"),
        pytest.param(package(name="lodash"), {}, id="the popular name itself"),
        pytest.param(History(name="x"), {"few_releases": 1.0}, id="nothing is known"),
    ],
)
def test_signs(history: History, expected: dict[str, float]) -> None:
    """Each sign at its boundary, and what each takes off."""
    assert signs(history, NOW, POPULAR) == expected
    taken = sum(WEIGHTS[sign] * share for sign, share in expected.items())
    assert score(history, NOW, POPULAR) == pytest.approx(1 - taken)


def test_times_of_a_mirror_are_no_signs() -> None:
    """A mirror that imported everything within a minute made no burst, and the package is not new."""
    found = tuple(
        Release(version=f"1.{place}.0", published=NOW - timedelta(seconds=10 * (place % 3))) for place in range(9)
    )
    history = History(name="x", releases=found, created=NOW - DAY)
    assert history.has_import_times
    assert signs(history, NOW) == {}


@given(document=packuments())
def test_between_nothing_and_one(document: Any) -> None:
    """The score of any package is a number from 0 to 1."""
    assert 0 <= score(history_of(document), NOW, POPULAR) <= 1


def test_weights_do_not_sink_below_nothing() -> None:
    """All signs together leave 0."""
    assert sum(WEIGHTS.values()) >= 1


# What much used packages look like. The threshold is 0.4.
PLAUSIBLE = {
    "an old utility by one person, done for years": History(
        name="is-thing", releases=at(*(DAY * (2500 + 30 * place) for place in range(3))), maintainers=("ann",)
    ),
    "a native addon by one person": History(
        name="fast-native",
        releases=at(*(DAY * (40 + 50 * place) for place in range(20)), gypfile=True, evidence=0),
        created=NOW - 1200 * DAY,
        maintainers=("ann",),
    ),
    "a framework with nightly builds": History(
        name="frame",
        releases=tuple(
            Release(version=f"15.0.0-canary.{place}", published=NOW - timedelta(hours=12 * (300 - place)), evidence=2)
            for place in range(300)
        ),
        created=NOW - 2000 * DAY,
        maintainers=("bot", "ann"),
    ),
    "a monorepo that publishes six fixes at once": History(
        name="parts",
        releases=at(
            *(DAY * (100 + place) for place in range(30)),
            *(DAY + timedelta(minutes=place) for place in range(6)),
            evidence=0,
            scripts={"postinstall": "node check.js"},
        ),
        maintainers=("ann", "bob"),
    ),
    "an old package, revived for a security fix": History(
        name="veteran",
        releases=at(3000 * DAY, 2500 * DAY, 2000 * DAY, DAY, evidence=0),
        created=NOW - 3000 * DAY,
        maintainers=("ann",),
    ),
    "a new package of a known team": History(
        name="@team/new",
        releases=at(9 * DAY, 5 * DAY, evidence=2),
        created=NOW - 9 * DAY,
        maintainers=("ann", "bob", "eve"),
    ),
    "a compiler that grew by its binaries": History(
        name="swift",
        releases=(
            *at(*(DAY * (60 + 30 * place) for place in range(10)), unpacked_size=1_000_000, gypfile=True),
            Release(version="2.0.0", published=NOW - 3 * DAY, unpacked_size=9_000_000, scripts={"postinstall": "x"}),
        ),
        maintainers=("ann",),
    ),
    "a name near a popular one, old and quiet": History(
        name="chalks", releases=at(*(DAY * (900 + 90 * place) for place in range(5)), evidence=0), maintainers=("ann",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("history", PLAUSIBLE.values(), ids=PLAUSIBLE.keys())
def test_plausible_packages_pass(history: History) -> None:
    """No package that looks like a much used one falls below the default threshold."""
    assert score(history, NOW, POPULAR) >= 0.4, signs(history, NOW, POPULAR)


def test_typosquatting_falls_below() -> None:
    """A new package by one person, with a script and a name like another's, does."""
    history = History(
        name="expres",
        releases=at(timedelta(hours=2), scripts={"postinstall": "x"}, evidence=0),
        created=NOW - timedelta(hours=2),
        maintainers=("eve",),
    )
    assert score(history, NOW, POPULAR) < 0.4


@given(document=packuments())
def test_next_change(document: Any) -> None:
    """Until the moment that is said, and at no moment before it, the score stays as it is."""
    history = history_of(document)
    moment = next_change(history, NOW)
    now = score(history, NOW, POPULAR)
    assert moment is None or moment > NOW
    horizon = moment or NOW + 400 * DAY
    for share in (0.25, 0.5, 0.75, 0.999):
        assert score(history, NOW + (horizon - NOW) * share, POPULAR) == now
