"""How large packuments and tarballs are. Pure.

The quantiles come from a real tree: the 884 packuments and 835 tarballs of an application with a bundler, two test
runners, a linter, a UI library and a web framework, as npm 11 asked for them.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Sequence

Quantiles = Sequence[tuple[float, int]]

PACKUMENTS: Quantiles = (
    (0.0, 6_000),
    (0.1, 6_300),
    (0.5, 40_200),
    (0.9, 264_100),
    (0.99, 3_295_000),
    (1.0, 19_290_000),
)
"""Part of the packuments, and the size in bytes of the full form that they do not exceed."""

TARBALLS: Quantiles = (
    (0.0, 2_000),
    (0.1, 2_100),
    (0.5, 6_400),
    (0.9, 72_000),
    (0.99, 1_411_000),
    (1.0, 43_666_000),
)
"""The same for tarballs."""

SMALL, MIDDLE, BIG = 131_000, 4_500_000, 10_500_000
"""The packuments that hot reads ask for, in bytes of the full form: those of lodash, webpack and typescript."""

SMALL_TARBALL, BIG_TARBALL = 10_000, 43_666_000
"""The tarballs that hot reads ask for, in bytes."""


def size_at(quantiles: Quantiles, part: float) -> int:
    """Returns the size in bytes at *part* (0 to 1) of a distribution; it grows exponentially between quantiles."""
    upper = min(max(1, bisect.bisect_left([where for where, _ in quantiles], part)), len(quantiles) - 1)
    (left, low), (right, high) = quantiles[upper - 1 : upper + 1]
    way = (part - left) / (right - left)
    return round(math.exp(math.log(low) + way * (math.log(high) - math.log(low))))


def sizes(quantiles: Quantiles, count: int, fixed: Sequence[int], seed: str) -> list[int]:
    """Returns *count* sizes in bytes: those of *fixed* first, the rest spread evenly over the distribution, shuffled.

    The same arguments give the same list on every machine.
    """
    rest = max(0, count - len(fixed))
    spread = [size_at(quantiles, (number + 0.5) / rest) for number in range(rest)]
    random.Random(seed).shuffle(spread)
    return [*fixed, *spread][:count]
