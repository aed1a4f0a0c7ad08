"""What a worker of any server does when it begins, in addition to serving."""

from __future__ import annotations

import threading

from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.serving import Serving


def begin(serving: Serving, bind: Bind, age: int) -> threading.Thread:
    """Greets when the first worker is ready. That one, or one in the place of another, repairs the store.

    *bind* is where it listens. *age* counts the workers that were started so far, this one included. All of it is done
    in threads, of which the first is returned: no request waits for it.
    """
    thread = threading.Thread(target=_begin, args=(serving, bind, age), name="beginning", daemon=True)
    thread.start()
    return thread


def _begin(serving: Serving, bind: Bind, age: int) -> None:
    # Imported here because one worker needs them, and it answers already.
    if age == 1:
        from nproxy_mw.cli import greeting

        greeting.begin(serving, bind)
    if age == 1 or age > serving.options.workers:
        from nproxy_mw.cli import repair

        repair.begin(serving.options.storage)
