"""Finished answers: tagged by their bytes, kept within a bound."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.client import Client

from nproxy_mw.http.messages import send
from nproxy_mw.http.views import GZIP_FROM, Views, make_view

BIG = b"x" * GZIP_FROM


@pytest.mark.parametrize(
    ("body", "gzipped", "encoded"),
    [
        pytest.param(BIG, True, True, id="long enough"),
        pytest.param(BIG[1:], True, False, id="too short"),
        pytest.param(BIG, False, False, id="not asked for"),
    ],
)
def test_body_is_encoded_where_it_is_worth_it(body, gzipped, encoded):
    """Below the bound gzip costs more than it saves."""
    view = make_view(body, "text/plain", gzipped=gzipped)
    assert (("Content-Encoding", "gzip") in view.headers) is encoded
    assert (gzip.decompress(view.body) if encoded else view.body) == body


def test_same_body_makes_the_same_view():
    """Two workers, and one worker twice, answer the same ETag."""
    assert make_view(BIG, "text/plain", gzipped=True) == make_view(BIG, "text/plain", gzipped=True)


def test_view_answers_200_and_304():
    """With the ETag of these very bytes the client is told that it has them."""
    view = make_view(b'{"a": 1}', "application/json", gzipped=False)
    client = Client(lambda environ, start_response: send(environ, start_response, view.response(environ)))
    response = client.get("/")
    assert (response.status, response.json, response.headers["etag"]) == (200, {"a": 1}, view.etag)
    assert client.head("/").headers == response.headers
    assert client.get("/", If_None_Match=view.etag).status == 304


def view_of(size: int):
    return make_view(b"x" * size, "text/plain", gzipped=False)


def test_view_is_made_once():
    """The hot path finds what was finished before."""
    views, made = Views(), []
    for _ in range(3):
        views.get("a", lambda: made.append(1) or view_of(1))
    assert len(made) == 1


def test_least_recently_used_is_dropped_first():
    """Bodies are kept up to the capacity in bytes."""
    views = Views(capacity=30)
    for key in ("a", "b", "c"):
        views.get(key, lambda: view_of(10))
    views.get("a", lambda: pytest.fail("a is kept"))
    views.get("d", lambda: view_of(10))
    assert list(views._kept) == ["c", "a", "d"]
    assert views.size == 30


def test_view_over_the_capacity_is_answered_and_not_kept():
    """A body that fits nowhere pushes everything out, and leaves nothing behind."""
    views = Views(capacity=30)
    assert len(views.get("a", lambda: view_of(31)).body) == 31
    assert (views.size, len(views._kept)) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=40))
def test_size_is_always_that_of_what_is_kept(steps):
    """Whatever is asked in whatever order, the books are right and the bound holds."""
    views = Views(capacity=100)
    for key, size in steps:
        views.get((key, size), lambda size=size: view_of(size))
        assert views.size == sum(len(view.body) for view in views._kept.values()) <= 100


def test_two_threads_may_both_make_it():
    """A view made twice at once counts once."""
    views = Views()

    def make():
        views.get("a", lambda: view_of(10))
        return view_of(10)

    views.get("a", make)
    assert views.size == 10
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: views.get(number % 5, lambda: view_of(10)), range(200)))
    assert views.size == 60
