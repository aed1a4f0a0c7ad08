"""Jitter: factors within their bounds, from numbers of their own."""

from __future__ import annotations

import random

from support.forks import holds_in_child

from nproxy_mw.jitter import _random, jitter


def test_factors_differ_and_stay_within_their_bounds() -> None:
    """Both bounds are kept."""
    found = {jitter(0.5, 1.5) for _ in range(100)}
    assert len(found) > 50
    assert all(0.5 <= factor <= 1.5 for factor in found)


def test_a_hosts_own_random_numbers_stay_as_they_were() -> None:
    """Nobody's seed is used up, and none makes all waiters come at the same moment."""
    random.seed(1)
    state = random.getstate()
    jitter(0.5, 1.5)
    assert random.getstate() == state


def test_a_child_has_others() -> None:
    """Workers that were forked at the same moment do not come again at the same moment."""
    state = _random.getstate()
    assert holds_in_child(lambda: _random.getstate() != state)
