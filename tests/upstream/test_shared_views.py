"""SharedViews: a finished answer is made by one process, and served by all of the host."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from support.client import Client

from nproxy_mw.errors import Missing
from nproxy_mw.http.messages import send
from nproxy_mw.http.views import SHELVED_FROM, Views, etag_of, make_view
from nproxy_mw.npm.documents import Document
from nproxy_mw.upstream.cache_folder import CacheFolder
from nproxy_mw.upstream.eviction import Eviction
from nproxy_mw.upstream.shared_views import FILE_FROM, SharedViews

KEY = ("", "/lodash", "full", "https://npm.acme.example")
SMALL, MIDDLE, LARGE = 100, SHELVED_FROM, 3 * FILE_FROM


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "0123456789abcdef", Eviction(tmp_path))


class Process:
    """What one process has: views in memory, the shelf that it shares, and how often it made a body."""

    def __init__(self, folder: CacheFolder, raw: bytes, revision: str = "1") -> None:
        self.views, self.shelf = Views(), SharedViews(folder)
        self.document = Document(raw, revision)
        self.made = 0
        self.client = Client(self.application)

    def application(self, environ: Any, start_response: Any) -> Any:
        response = self.views.respond(environ, KEY, self.read, self.render, shelf=self.shelf)
        return send(environ, start_response, response)

    def read(self, *, unless: str) -> Document | None:
        return None if unless == self.document.revision else self.document

    def render(self, document: Document) -> bytes:
        self.made += 1
        return document.raw

    def get(self, **headers: str) -> Any:
        return self.client.get("/lodash", **headers)


def raw_of(size: int) -> bytes:
    return b'{"x":"' + os.urandom(size // 2).hex().encode() + b'"}'


@pytest.mark.parametrize("size", [MIDDLE, LARGE])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_view_is_made_once_for_all_processes(folder: CacheFolder, size: int, encoding: str) -> None:
    """Whoever asks second, in any process and after a restart, gets the bytes that the first one made."""
    raw = raw_of(size)
    first, second = Process(folder, raw), Process(folder, raw)
    answers = [one.get(Accept_Encoding=encoding) for one in (first, second, first, second)]
    assert {gzip.decompress(one.body) if encoding else one.body for one in answers} == {raw}
    assert len({(one.status, str(sorted(one.headers.items()))) for one in answers}) == 1
    assert (first.made, second.made) == (1, 0)


def test_small_ones_are_not_shared(folder: CacheFolder) -> None:
    """Making one costs about as much as a file."""
    raw = raw_of(SMALL)
    for one in (Process(folder, raw), Process(folder, raw)):
        assert one.get().body == raw
        assert one.made == 1
    assert list(folder.list()) == []


def test_large_body_takes_no_memory(folder: CacheFolder) -> None:
    """It is sent from its file, by the process that made it, too."""
    one = Process(folder, raw_of(LARGE))
    assert one.get().body == one.get().body
    assert one.views.size == 0


def test_new_revision_takes_the_place_of_the_old_one(folder: CacheFolder) -> None:
    """Every process serves it, and the body of before is removed."""
    before, after = raw_of(LARGE), raw_of(LARGE)
    old, new, other = Process(folder, before), Process(folder, after, "2"), Process(folder, after, "2")
    old.get()
    assert [one.get().body for one in (new, other)] == [after, after]
    assert (new.made, other.made) == (1, 0)
    assert len(list(folder.list())) == 2
    old.document = new.document
    assert old.get().body == after


def test_conditions_hold_for_files(folder: CacheFolder) -> None:
    """A client that has it gets a 304, also from a process that was just started; HEAD gets no body."""
    raw = raw_of(LARGE)
    etag = Process(folder, raw).get().headers["etag"]
    for one in (Process(folder, raw), Process(folder, raw)):
        assert one.get(If_None_Match=etag).status == 304
        head = one.client.ask("HEAD", "/lodash")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(raw)))
        assert one.get().body == raw


@pytest.mark.parametrize("size", [MIDDLE, LARGE])
@pytest.mark.parametrize("damage", ["short", "flipped", "gone", "all gone"])
def test_damaged_view_is_made_again(folder: CacheFolder, size: int, damage: str) -> None:
    """Under a running process, and before one starts: never served."""
    raw = raw_of(size)
    running = Process(folder, raw)
    assert running.get().body == raw
    for key in sorted(folder.list(), key=lambda key: key.endswith("entry")):
        stored = folder.read(key)
        if damage in ("short", "flipped"):
            data = stored.data[:-1] if damage == "short" else stored.data[:-9] + b"\xff" + stored.data[-8:]
            folder.replace(key, data, stored.revision)
            break
        folder.delete(key)
        if damage == "gone":
            break
    for one in (running, Process(folder, raw), Process(folder, raw)):
        answer = one.get()
        assert (answer.body, answer.headers["content-length"]) == (raw, str(len(raw)))


def test_what_another_version_made_is_not_served(folder: CacheFolder) -> None:
    """An ETag names the way in which a body was made."""
    document = Document(raw_of(MIDDLE), "1")
    key = (*KEY, "")
    shelf = SharedViews(folder)
    shelf.keep(key, make_view(document, document.raw, '"older"', "application/json", is_gzipped=False))
    assert shelf.find(key) is None
    shelf.keep(key, make_view(document, document.raw, etag_of("1", key), "application/json", is_gzipped=False))
    assert shelf.find(key) is not None


def test_file_that_is_evicted_is_missing(folder: CacheFolder) -> None:
    """A view whose file was removed says so."""
    document, key = Document(raw_of(LARGE), "1"), (*KEY, "")
    view = SharedViews(folder).keep(
        key, make_view(document, document.raw, etag_of("1", key), "application/json", is_gzipped=False)
    )
    for name in list(folder.list()):
        folder.delete(name)
    assert view.open_body is not None
    with pytest.raises(Missing):
        view.open_body()
