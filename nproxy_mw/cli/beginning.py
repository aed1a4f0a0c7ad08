"""What a worker does beside serving when it begins, whatever server it belongs to."""

from __future__ import annotations

from nproxy_mw.cli import greeting, repair
from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.serving import Serving


def begin(serving: Serving, bind: Bind, age: int) -> None:
    """Greets when the first worker is ready. That one, or one in the place of another, repairs the store.

    *bind* is where it listens. *age* counts the workers that were started so far, this one included.
    """
    if age == 1:
        greeting.begin(serving, bind)
    if age == 1 or age > serving.options.workers:
        repair.begin(serving.options.storage)
