"""What tests of the program need around it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def hangup_as_usual() -> Iterator[None]:
    """SIGHUP as a program finds it in a terminal, also where the tests themselves were started under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
