"""Finished answers: tagged by their bytes, kept within a bound."""

from __future__ import annotations

import gzip

import pytest
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


def test_bodies_are_kept_up_to_the_capacity():
    """The capacity is in bytes of bodies, and the least recently used goes first."""
    views = Views(capacity=30)
    for key in ("a", "b", "c"):
        views.get(key, lambda: view_of(10))
    views.get("a", lambda: pytest.fail("a is kept"))
    views.get("d", lambda: view_of(10))
    views.get("a", lambda: pytest.fail("a is still kept"))
    assert views.size == 30


def test_view_over_the_capacity_is_answered_and_not_kept():
    """A body that fits nowhere pushes nothing else out."""
    views = Views(capacity=30)
    views.get("b", lambda: view_of(10))
    assert len(views.get("a", lambda: view_of(31)).body) == 31
    assert views.size == 10


def test_two_threads_may_both_make_it():
    """A view made twice at once counts once."""
    views = Views()

    def make():
        views.get("a", lambda: view_of(10))
        return view_of(10)

    views.get("a", make)
    assert views.size == 10
