"""Finished answers: made once per revision, tagged before they are made, kept within a bound."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.client import Client

from nproxy_mw.http import compressing
from nproxy_mw.http.compressing import gunzipped, gzipped
from nproxy_mw.http.messages import Response, send
from nproxy_mw.http.views import GZIP_FROM, Views, etag_of, make_view, small_response
from nproxy_mw.npm.documents import LARGE, Document

BIG = b'{"x":"' + b"x" * GZIP_FROM + b'"}'
KEY = ("acme", "@acme/utils", "full", "https://npm.acme.example")


class Source:
    """A document at a revision, which counts how often it was asked for and made into a body."""

    def __init__(self, raw: bytes = BIG) -> None:
        self.document = Document(raw, "1")
        self.read_with: list[str] = []
        self.made = 0

    def read(self, *, unless: str) -> Document | None:
        self.read_with.append(unless)
        return None if unless == self.document.revision else self.document

    def render(self, document: Document) -> bytes:
        self.made += 1
        return document.raw


def client_of(respond: Callable[[Any], Response]) -> Client:
    return Client(lambda environ, start_response: send(environ, start_response, respond(environ)))


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def client(source: Source) -> Client:
    views = Views()
    return client_of(lambda environ: views.respond(environ, KEY, source.read, source.render))


def test_view_is_made_once_per_revision(source: Source, client: Client) -> None:
    """The source is asked each time, with the revision that is kept; a body is made when it changed."""
    first = client.get("/")
    assert client.get("/").body == first.body == BIG
    assert (source.read_with, source.made) == (["", "1"], 1)
    source.document = Document(b'{"new":1}', "2")
    changed = client.get("/")
    assert (changed.json, changed.headers["etag"] != first.headers["etag"]) == ({"new": 1}, True)
    assert (source.read_with, source.made) == (["", "1", "1"], 2)


def test_source_that_knows_no_revisions_costs_no_second_body(source: Source, client: Client) -> None:
    """It hands its document over again; the view of that revision is there."""
    source.read = lambda *, unless: source.document  # type: ignore[method-assign]
    assert client.get("/").body == client.get("/").body
    assert source.made == 1


def test_client_that_has_it_is_told_before_a_body_is_made(source: Source) -> None:
    """Also by a process that was just started: a 304 costs the same for 2 kB and for 20 MB."""
    asked = client_of(lambda environ: Views().respond(environ, KEY, source.read, source.render))
    etag = asked.get("/").headers["etag"]
    assert source.made == 1
    unmodified = asked.get("/", If_None_Match=etag)
    assert (unmodified.status, unmodified.headers["etag"], unmodified.body) == (304, etag, b"")
    assert source.made == 1
    assert unmodified.headers["vary"] == "Accept, Accept-Encoding, Authorization, npm-command"
    assert unmodified.headers["cache-control"] == "private, no-cache"


def test_any_version_is_there_only_if_it_can_be_made() -> None:
    """``If-None-Match: *`` asks whether there is something; what cannot be made is not there."""

    def render(document: Document) -> bytes:
        raise LookupError

    asked = client_of(lambda environ: Views().respond(environ, KEY, Source().read, render))
    with pytest.raises(LookupError):
        asked.get("/", If_None_Match="*")


def test_every_part_of_the_key_makes_another_etag() -> None:
    """So do the revision and the encoding; the same parts make the same one in every process."""
    keys = [(*key, encoding) for key in (KEY, KEY[1:]) for encoding in ("", "gzip")]
    tags = {etag_of(revision, key) for revision in "12" for key in keys}
    assert len(tags) == 8
    assert etag_of("1", ("a", "b")) != etag_of("1", ("ab", ""))
    assert etag_of("1", KEY) == '"03b6fb28a88c00f12cf70714c1ee82d4"'


def test_head_says_what_get_says(client: Client) -> None:
    """Content-Length included."""
    get, head = client.get("/", Accept_Encoding="gzip"), client.head("/", Accept_Encoding="gzip")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


@pytest.mark.parametrize(
    ("body", "is_taken", "is_encoded"),
    [
        pytest.param(b"x" * GZIP_FROM, True, True, id="long enough"),
        pytest.param(b"x" * (GZIP_FROM - 1), True, False, id="too short"),
        pytest.param(b"x" * GZIP_FROM, False, False, id="not asked for"),
    ],
)
def test_body_is_encoded_where_it_is_worth_it(body: bytes, is_taken: bool, is_encoded: bool) -> None:
    """Below the bound gzip costs more than it saves."""
    view = make_view(Document(b"", "1"), body, '"x"', "text/plain", is_gzipped=is_taken)
    assert (("Content-Encoding", "gzip") in view.found.headers) is is_encoded
    assert isinstance(view.found.body, bytes)
    assert (gzip.decompress(view.found.body) if is_encoded else view.found.body) == body


def test_gzip_of_the_source_is_used_when_nothing_changed() -> None:
    """What passes as it came is not compressed again."""
    given = gzip.compress(BIG, 9)
    document = Document(BIG, "1", gzipped=given)
    assert make_view(document, BIG, '"x"', "text/plain", is_gzipped=True).found.body is given
    assert make_view(document, BIG + b" ", '"x"', "text/plain", is_gzipped=True).found.body is not given


@pytest.mark.parametrize("is_fast", [True, False], ids=["isal", "zlib"])
@pytest.mark.parametrize("size", [0, 1, compressing.LARGE - 1, compressing.LARGE, 300_000])
def test_gzip_is_gzip_whoever_makes_it(monkeypatch: pytest.MonkeyPatch, is_fast: bool, size: int) -> None:
    """With the optional package and without: the same bytes each time, and what went in comes out."""
    if is_fast:
        pytest.importorskip("isal")
    else:
        monkeypatch.setattr(compressing, "igzip", None)
    body = bytes(index % 61 for index in range(size))
    assert gzip.decompress(gzipped(body)) == body
    assert gzipped(body) == gzipped(body)


def test_views_are_kept_within_a_bound() -> None:
    """The least recently used go first, and one that fits nowhere is answered and not kept."""
    views, source = Views(capacity=3 * len(BIG)), Source()
    for name in "abcd":
        views.respond({}, (name,), source.read, source.render)
    assert views.size == 3 * len(BIG)
    views.respond({}, ("a",), source.read, source.render)
    assert source.read_with == ["", "", "", "", ""]
    views.respond({}, ("d",), source.read, source.render)
    assert source.read_with[-1] == "1"
    big = Source(BIG * 4)
    assert views.respond({}, ("big",), big.read, big.render).body == BIG * 4
    assert views.size == 3 * len(BIG)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=40))
def test_size_is_always_within_the_bound(steps: list[tuple[int, int]]) -> None:
    """Whatever is asked in whatever order."""
    views = Views(capacity=100)
    for key, size in steps:
        source = Source(b"x" * size)
        views.respond({}, (str(key), str(size)), source.read, source.render)
        assert views.size <= 100


def test_large_body_is_made_once_however_many_ask() -> None:
    """Those who waited for their turn find what was made meanwhile."""
    source, views = Source(b"x" * (LARGE + 1)), Views()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: views.respond({}, KEY, source.read, source.render), range(8)))
    assert source.made == 1
    assert {len(answer.body) for answer in answers if isinstance(answer.body, bytes)} == {LARGE + 1}


def test_small_document_is_tagged_by_its_bytes() -> None:
    """It is not worth keeping; a client that has it is told so all the same."""
    client = client_of(lambda environ: small_response(environ, BIG))
    first = client.get("/", Accept_Encoding="gzip")
    assert gzip.decompress(first.body) == BIG
    assert client.get("/", If_None_Match=first.headers["etag"]).status == 304
    assert client.post("/", If_None_Match=first.headers["etag"]).status == 200


@pytest.mark.parametrize("has_isal", [True, False])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (gzip.compress(b"x" * 100), b"x" * 100),
        (gzip.compress(b""), b""),
        (gzip.compress(b"x" * 101), None),
        (gzip.compress(b"x" * 100)[:-1], None),
        (gzip.compress(b"x" * 100) + b"y", None),
        (gzip.compress(b"x") + gzip.compress(b"y"), None),
        (gzip.compress(b"x" * 100)[:-8] + bytes(8), None),
        (b"x" * 100, None),
        (b"", None),
    ],
    ids=["at the limit", "empty", "too large", "cut off", "followed", "two", "damaged", "no gzip", "nothing"],
)
def test_gunzipped_is_one_whole_member(
    monkeypatch: pytest.MonkeyPatch, data: bytes, expected: bytes | None, has_isal: bool
) -> None:
    """By either library: what is cut off, damaged, followed by something or too large is nothing."""
    if not has_isal:
        monkeypatch.setattr(compressing, "isal_zlib", None)
        monkeypatch.setattr(compressing, "_BROKEN", zlib.error)
    assert gunzipped(data, 100) == expected
