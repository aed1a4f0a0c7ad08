"""What changed between two versions: found, and bounded."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.middleware.dashboard.comparison import (
    FULL,
    MAX_LISTED,
    MAX_SHOWN,
    MAX_WIDTH,
    ROW,
    FieldChange,
    count_changes,
    field_changes,
    file_changes,
)
from nproxy_mw.middleware.dashboard.tarball_files import PackedFile, packed_files
from nproxy_mw.testing.documents import tarball

TREES = st.dictionaries(st.sampled_from(["a", "b/c", "d.js"]), st.text(max_size=60), max_size=3)


def packed(**files: str) -> dict[str, PackedFile]:
    """Files as a tarball would have them."""
    return {path: packed_file(path, text) for path, text in files.items()}


def packed_file(path: str, text: str) -> PackedFile:
    """One file."""
    data = text.encode("utf-8", "surrogatepass")
    return PackedFile(path, len(data), hashlib.sha256(data).digest(), text)


def test_files_are_added_removed_and_changed() -> None:
    """Each with its sizes, and the lines that differ with two around them."""
    old, new = packed(same="x\n", gone="1\n", both="1\n2\n3\n4\n"), packed(same="x\n", come="2\n", both="1\n2\n3\n5\n")
    changes = file_changes(old, new)
    assert [(change.path, change.kind, change.old, change.new) for change in changes] == [
        ("both", "changed", 8, 8),
        ("come", "added", None, 2),
        ("gone", "removed", 2, None),
    ]
    assert changes[0].lines == ("@@ -2,3 +2,3 @@", " 2", " 3", "-4", "+5")
    assert count_changes(old, new) == 3


@given(TREES, TREES)
def test_what_is_not_the_same_is_always_listed(old: dict[str, str], new: dict[str, str]) -> None:
    """No change hides, whatever its text is; and nothing is listed that did not change."""
    listed = {change.path for change in file_changes(packed(**old), packed(**new))}
    assert listed == {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert count_changes(packed(**old), packed(**new)) == len(listed)


def test_a_page_has_an_end() -> None:
    """Many files, many lines and long lines are cut, and each place says so."""
    old = packed(**{f"f{number}": "x\n" * 500 for number in range(200)})
    new = packed(**{f"f{number}": f"{number}\n" * 500 for number in range(200)})
    changes = file_changes(old, new)
    assert 50 < len(changes) < MAX_LISTED // ROW
    assert sum(len(line) for change in changes for line in change.lines) <= MAX_SHOWN
    assert changes[-1].note == FULL
    (wide,) = file_changes(packed(a="x" * 5000), packed(a="y" * 5000))
    assert max(map(len, wide.lines)) == MAX_WIDTH + 2
    (long,) = file_changes(packed(a="x\n" * 3000), packed(a="y\n" * 3000))
    assert (long.lines, "too many to be compared" in long.note) == ((), True)


def test_bytes_are_not_compared_as_text() -> None:
    """What is no UTF-8, or holds a NUL, is listed with its sizes."""
    files = {"logo.png": b"\x89PNG\x00\xff", "nul.txt": b"a\x00b"}
    old = packed_files(tarball({"name": "x", "version": "1.0.0"}, files))
    new = packed_files(tarball({"name": "x", "version": "1.0.0"}, {**files, "logo.png": b"\x89PNG\x01\x00"}))
    (change,) = file_changes(old, new)
    assert (change.path, change.old, change.new, change.lines) == ("logo.png", 6, 6, ())
    assert list(old) == ["logo.png", "nul.txt", "package.json"]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({}, {}, []),
        ({"dependencies": {"a": "1"}}, {"dependencies": {"a": "1"}}, []),
        ({"dependencies": {"a": "1"}}, {"dependencies": {"a": "2"}}, [FieldChange("dependencies", "a", "1", "2")]),
        ({}, {"scripts": {"install": "x"}}, [FieldChange("scripts", "install", None, "x")]),
        ({"bin": "a.js"}, {}, [FieldChange("bin", "", "a.js", None)]),
        ({"engines": ["x"], "dependencies": 7}, {"engines": None}, []),
    ],
)  # fmt: skip
def test_members_of_the_manifest_are_compared(old: object, new: object, changes: list[FieldChange]) -> None:
    """Dependencies, scripts, programs and engines, of whatever type they are."""
    assert list(field_changes(old, new)) == changes
