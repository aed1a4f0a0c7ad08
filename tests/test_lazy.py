"""A property that is computed once, and keeps no other object waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from nproxy_mw.lazy import lazy


class Slow:
    """Computes when it may."""

    def __init__(self) -> None:
        self.begun, self.may_end, self.computed = Event(), Event(), 0

    @lazy
    def value(self) -> int:
        """The value."""
        self.begun.set()
        self.may_end.wait()
        self.computed += 1
        return self.computed


def test_value_is_computed_once() -> None:
    """And the property says what it is."""
    one = Slow()
    one.may_end.set()
    assert (one.value, one.value, Slow.value.__doc__) == (1, 1, "The value.")


def test_objects_do_not_wait_for_each_other() -> None:
    """While one thread computes the value of one, another has that of the next."""
    slow, quick = Slow(), Slow()
    quick.may_end.set()
    with ThreadPoolExecutor(1) as another:
        waiting = another.submit(lambda: slow.value)
        slow.begun.wait()
        assert quick.value == 1
        slow.may_end.set()
        assert waiting.result() == 1
