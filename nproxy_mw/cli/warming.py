"""What pages need is made ready a moment after a worker began, so that the first page costs no more than others.

A thread does it at the priority of all others: one of a lower priority would keep the interpreter from requests while
it waits for a processor itself.
"""

from __future__ import annotations

import logging
import threading
import time

from nproxy_mw.cli import late_dashboard
from nproxy_mw.cli.serving import Serving

PAUSE = 1.0
"""Seconds that a worker has for the clients that waited for it, and the others for their own beginning."""

_log = logging.getLogger(__name__)


def begin(serving: Serving, *, is_first: bool) -> threading.Thread:
    """Begins it in a thread, which is returned. The first worker looks after the index of packages, for all of them."""
    thread = threading.Thread(target=warm, args=(serving, is_first, PAUSE), name="warming", daemon=True)
    thread.start()
    return thread


def warm(serving: Serving, is_first: bool, pause: float = 0.0) -> None:
    """Does it after *pause* seconds. A failure is only a line in the log: requests do the same when they need it."""
    time.sleep(pause)
    try:
        late_dashboard.make_ready()
        org = serving.resolve.fixed_org
        if is_first and org is not None:
            serving.organizations().open(org).search_index.follow()
    except Exception as error:
        _log.warning("the pages were not made ready: the first one takes longer (%s)", error)
