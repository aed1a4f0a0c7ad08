"""Jitter: pauses that differ, so that those who wait for one thing do not come again at the same moment.

It has numbers of its own: a host may have seeded Python's.
"""

from __future__ import annotations

import os
import random

_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)


def jitter(least: float, most: float) -> float:
    """Returns a factor for a pause, between *least* and *most*."""
    return _random.uniform(least, most)
