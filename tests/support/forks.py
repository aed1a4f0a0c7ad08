"""Work in a child of a fork."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable


def holds_in_child(fact: Callable[[], object]) -> bool:
    """Whether *fact* is true in a child of this process; False, too, when it raises there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there may be threads is the point
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if fact() else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
