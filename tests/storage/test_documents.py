"""JSON objects on a storage: what is read as one, and what is not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import FORMAT, NEWER_CODE, UnreadableObject


def test_object_comes_back_with_its_format() -> None:
    """What is stored says how it is to be read."""
    assert documents.decode(documents.encode({"a": 1})) == {"format": FORMAT, "a": 1}


@pytest.mark.parametrize("version", [None, 0, -1, 1.5, "1", [1], {}])
def test_object_of_no_known_format_is_damaged(version: Any) -> None:
    """Nothing is guessed: it might be of a program that means something else by it."""
    with pytest.raises(UnreadableObject) as refused:
        documents.decode(orjson.dumps({"format": version, "a": 1}), newest=2)
    assert refused.value.code == "damaged-object"
    with pytest.raises(UnreadableObject):
        documents.decode(b'{"a":1}')


@pytest.mark.parametrize(("version", "newest", "is_read"), [(1, 1, True), (2, 2, True), (1, 2, True), (3, 2, False)])
def test_newer_object_is_told_from_a_damaged_one(version: int, newest: int, is_read: bool) -> None:
    """The sentence sends its reader to the newer program, not to a backup."""
    data = orjson.dumps({"format": version})
    if is_read:
        assert documents.decode(data, newest=newest)["format"] == version
        return
    with pytest.raises(UnreadableObject) as refused:
        documents.decode(data, newest=newest)
    assert refused.value.code == NEWER_CODE
