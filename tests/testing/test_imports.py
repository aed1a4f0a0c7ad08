"""The helpers for tests of a host's own can be used with any test runner, or none."""

from __future__ import annotations

import subprocess
import sys

import pytest

import nproxy_mw.testing

WITHOUT_PYTEST = "import sys; sys.modules['pytest'] = None; import nproxy_mw.testing.{}"


@pytest.mark.parametrize("module", ["documents", "upstream", "faults", "races", "engines"])
def test_helper_needs_no_pytest(module: str) -> None:
    """Only the contracts, which are pytest's classes, need it."""
    subprocess.run([sys.executable, "-c", WITHOUT_PYTEST.format(module)], check=True, timeout=60)


def test_contracts_are_named_at_the_front_door() -> None:
    """Each name in ``__all__`` is there, and another one is an ordinary AttributeError."""
    assert all(hasattr(nproxy_mw.testing, name) for name in nproxy_mw.testing.__all__)
    assert not hasattr(nproxy_mw.testing, "NoSuchContract")
