"""JSON objects on a storage: what is read as one, and what is not."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from nproxy_mw.storage import documents, open_storage
from nproxy_mw.storage.documents import FORMAT, NEWER_CODE, UnreadableObject


def test_object_comes_back_with_its_format() -> None:
    """What is stored says how it is to be read."""
    assert documents.decode(documents.encode({"a": 1})) == {"format": FORMAT, "a": 1}


def test_change_says_what_it_replaced_and_by_what() -> None:
    """Of the attempt that was written, and not of one that lost its race."""
    storage, seen = open_storage("memory://changes-" + uuid.uuid4().hex), list[Any]()

    def step(before: dict[str, Any] | None) -> dict[str, Any] | None:
        seen.append(before)
        if len(seen) == 2:
            documents.change(storage, "a", lambda _: {"count": 7})
        return {"count": before["count"] + 1} if before else {"count": 1}

    first = documents.change(storage, "a", step)
    assert (first.before, first.after) == (None, {"count": 1})
    second = documents.change(storage, "a", step)
    assert [one and one["count"] for one in seen] == [None, 1, 7]
    assert (second.before, second.after) == ({"format": FORMAT, "count": 7}, {"count": 8})
    assert documents.find(storage, "a") == {"format": FORMAT, "count": 8}


def test_change_that_writes_nothing_has_made_nothing() -> None:
    """The object that was looked at is known all the same."""
    storage = open_storage("memory://changes-" + uuid.uuid4().hex)
    documents.change(storage, "a", lambda _: {"count": 1})
    none = documents.change(storage, "a", lambda _: None)
    assert (none.before, none.after) == ({"format": FORMAT, "count": 1}, None)


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
