"""Entries: what is kept of a document is what it was, and is looked through again only where that is needed."""

from __future__ import annotations

import pytest

from nproxy_mw.npm import documents
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.slices import readable
from nproxy_mw.storage import open_storage
from nproxy_mw.upstream.entries import Entries

PLAIN = b'{"name":"a","versions":{"1.0.0":{"name":"a","version":"1.0.0","dist":{}}}}'


def kept(raw: bytes) -> Document:
    entries = Entries(open_storage("memory://"), "packuments")
    entry = entries.keep("a", Document(raw, "1", name="a"), 0.0).entry
    found = entries.find("a")
    assert found is not None
    assert found.entry == entry
    document = entries.load("a", entry, "a")
    assert document is not None
    return document


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b'{"name"', b'{"__proto__":{"x":1},"name"', 1),
        PLAIN.replace(b'{"name"', b'{"readme":"\xe2\x82","name"', 1),
        PLAIN.replace(b"}}}}", b"}}},\n\n " + b'"readme":"' + b"x" * 100_000 + b'"}'),
    ],
    ids=["plain", "byte order mark", "proto", "half a character", "large, with line ends"],
)
def test_kept_document_is_what_it_was(raw: bytes) -> None:
    """Its bytes stay, and so does what is read of them: what had to be left out or repaired is so again."""
    document = kept(raw)
    assert document.raw == raw
    assert document.text == readable(raw)
    assert document.manifest("1.0.0") == Document(raw, "1", name="a").manifest("1.0.0")


def test_kept_text_is_not_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checksum says that it is what was looked through before it was kept."""
    document = kept(PLAIN)
    monkeypatch.setattr(documents, "readable", pytest.fail)
    assert document.text == PLAIN
