"""What two ways of one computation are compared by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nproxy_mw.errors import UpstreamUnavailable


def outcome(work: Callable[[], Any]) -> Any:
    """What *work* returns, or the words of its refusal."""
    try:
        return work()
    except UpstreamUnavailable as error:
        return error.message
