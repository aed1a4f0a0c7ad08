"""How much code runs for a hot request stays bounded."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from count_calls import Application, table

MOST = {"hot internal GET": 55, "install-hot tarball": 75}
"""Calls of the package's functions: what there are today, and one more."""


def test_hot_requests_enter_few_functions(tmp_path):
    """What is answered from memory does not lead through one helper after the other."""
    counted = dict(table(Application(str(tmp_path))))
    assert {title: counted[title].ours for title in MOST if counted[title].ours > MOST[title]} == {}
