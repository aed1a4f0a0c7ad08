"""Request ids: what names one request in its answer, in the log and in the audit trail."""

from __future__ import annotations

import os
import random

REQUEST_ID_HEADER = "X-Request-Id"

_ids = random.Random()  # an id has to be new, not secret; and the system's own numbers cost a call each
os.register_at_fork(after_in_child=_ids.seed)


def new_request_id() -> str:
    """Returns 32 hex digits that no other request has."""
    return f"{_ids.getrandbits(128):032x}"
