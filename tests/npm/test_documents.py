"""Documents, blobs and ranges as values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.npm import slices
from nproxy_mw.npm.documents import LARGE, Blob, ByteRange, Document, _place_for_a_large_one, parse_range


def test_document_is_read_once() -> None:
    """Its parts are made when somebody asks, and kept."""
    document = Document(b'{"versions":{"1.0.0":{"dependencies":{"a":"1"}}}}', "1", name="x")
    assert document.packument is document.packument
    assert document.history.releases[0].dependencies == {"a": "1"}
    assert list(document.members) == ["versions"]  # unharmed by what was made of them


def test_document_at_another_revision_is_not_split_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shares what it was split into, unless that takes much memory; then it is split when somebody asks."""
    document = Document(b'{"versions":{"1.0.0":{"a":1}}}', "1", name="x")
    assert document.at("2").packument == document.packument
    assert document.at("2").packument is document.packument
    monkeypatch.setattr(slices, "LIGHT", 3)
    assert document.at("2").packument is not document.packument


def test_large_document_that_is_checked_keeps_nothing() -> None:
    """Who checks one only wants to know whether it can be read."""
    document = Document(b'{"versions":{}}' + b" " * LARGE, "1", name="x")
    document.check()
    assert "packument" not in vars(document)


def test_one_manifest_is_had_without_the_others() -> None:
    """Or from the split document, if there is one."""
    document = Document(b'{"versions":{"1.0.0":{"a":1}}}', "1", name="x")
    found = document.manifest("1.0.0")
    assert "packument" not in vars(document)
    assert found == document.packument.versions["1.0.0"] == document.manifest("1.0.0")
    assert document.manifest("2.0.0") is None


def test_document_of_something_else_is_an_error_when_it_is_read() -> None:
    """Making one asks nothing of its text."""
    document = Document(b"<html>", "1", name="x")
    with pytest.raises(UpstreamUnavailable):
        _ = document.packument
    assert "html" not in repr(document)


@pytest.mark.parametrize(("size", "is_free"), [(LARGE, True), (LARGE + 1, False)])
def test_large_documents_are_taken_apart_one_at_a_time(size: int, is_free: bool) -> None:
    """The one place of a process is taken by a large document, also twice by the same thread, and by no small one."""
    document = Document(b"x" * size, "1")
    with document.alone(), document.alone(), ThreadPoolExecutor(1) as another:
        assert another.submit(_place_for_a_large_one.acquire, blocking=False).result() is is_free
        if is_free:
            another.submit(_place_for_a_large_one.release).result()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-1", ByteRange(0, 1)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=-5", ByteRange(None, 5)),
        ("bytes=7-7", ByteRange(7, 7)),
        ("bytes=7-6", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes= 0-1", None),
        ("bytes=0-1x", None),
        ("bytes=²-", None),
        ("lines=0-1", None),
        ("bytes=" + "9" * 16 + "-", None),
        ("", None),
    ],
)
def test_one_range_is_understood(header: str, expected: ByteRange | None) -> None:
    """Several ranges would come back as multipart, which is no tarball."""
    assert parse_range(header) == expected
    if expected is not None:
        assert str(expected) == header


@pytest.mark.parametrize(
    ("part", "positions"),
    [
        (ByteRange(0, 0), (0, 0)),
        (ByteRange(0, 99), (0, 9)),
        (ByteRange(9, None), (9, 9)),
        (ByteRange(10, None), None),
        (ByteRange(None, 3), (7, 9)),
        (ByteRange(None, 99), (0, 9)),
        (ByteRange(None, 0), None),
    ],
)
def test_range_is_cut_to_what_is_there(part: ByteRange, positions: tuple[int, int] | None) -> None:
    """Of ten bytes."""
    assert part.within(10) == positions


@given(st.integers(0, 30), st.integers(0, 30) | st.none(), st.integers(0, 30))
def test_range_is_never_outside(first: int, last: int | None, size: int) -> None:
    """Whatever is asked for, the positions lie within the whole."""
    found = ByteRange(first, last).within(size)
    assert found is None or 0 <= found[0] <= found[1] < size


def test_blob_is_closed_at_its_end_and_at_the_end_of_its_block() -> None:
    """What it holds open is given back as soon as nobody needs it, read or not."""
    closed: list[str] = []
    with Blob(iter([b"a", b"b"]), close=lambda: closed.append("read")) as blob:
        assert b"".join(blob) == b"ab"
        assert closed == ["read"]
    with Blob(iter([b"a", b"b"]), close=lambda: closed.append("not read")):
        pass
    assert closed == ["read", "not read"]
