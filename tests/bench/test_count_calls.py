"""How much code runs for a hot request stays bounded."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from count_calls import Application, table

MOST = {
    "hot internal GET": (11, 7),
    "install-hot tarball": (17, 11),
    "the same, made anew": (86, 32),
    "second publish": (450, 72),
}
"""Calls of the package's functions, and the files they are in: what there are today, and a little more."""


def test_hot_requests_enter_few_functions(tmp_path):
    """What is answered from memory does not lead through one helper after the other."""
    counted = dict(table(Application(str(tmp_path))))
    entered = {title: (counted[title].ours, len(counted[title].files)) for title in MOST}
    assert {title: found for title, found in entered.items() if found > MOST[title] or found[1] > MOST[title][1]} == {}
