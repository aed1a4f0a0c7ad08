"""Repeat: an answer is given again while all that it rests on holds, and to nobody else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from typing import Any

import pytest
from support.client import Client, Response

from nproxy_mw.errors import NotFound
from nproxy_mw.grounds import Witness, each_time, rest_on, vouch
from nproxy_mw.http.at_once import AT_ONCE, NotAtOnce, about_to_wait
from nproxy_mw.http.context import Context, opened
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.repeat import COMPARED, LARGEST, LARGEST_TARBALL, Repeat
from nproxy_mw.npm.routes import parse_route
from nproxy_mw.stack import Layer, stack


class App:
    """Counts its requests, and answers with their number. Each test says what it does on the way."""

    def __init__(self) -> None:
        self.requests = 0
        self.holds = True
        self.witnesses = set(Witness)
        self.status = "200 OK"
        self.on_the_way: Callable[[Any], None] = lambda environ: None
        self.body: Callable[[bytes], bytes] = lambda number: number
        self.is_stream = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.requests += 1
        number = str(self.requests).encode()
        rest_on(lambda: self.holds)
        self.on_the_way(environ)
        for witness in self.witnesses:
            vouch(witness)
        body = self.body(number) if environ["REQUEST_METHOD"] != "HEAD" else b""
        length = ("Content-Length", str(len(body)))
        start_response(self.status, [("Content-Type", "text/plain"), ("X-Number", number.decode()), length])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return iter([body]) if self.is_stream else [body]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def answers(app: App) -> Repeat:
    return repeating(app)


@pytest.fixture
def client(answers: Repeat) -> Client:
    return Client(answers)


def repeating(app: App, **how: Any) -> Repeat:
    return Repeat(ErrorResponses(app), **how)


def client_of(app: App, *outer: Layer) -> Client:
    """A client of *app* behind Repeat; the layers *outer* stand outside it."""
    return Client(stack(*outer, on=repeating(app)))


def number(response: Response) -> int:
    return int(response.headers["x-number"])


def test_the_same_request_gets_the_same_answer(app: App, client: Client) -> None:
    """The layers below are asked once; each answer has a request id of its own."""
    first, second = client.get("/utils"), client.get("/utils")
    assert first == second
    assert first.request_id != second.request_id
    assert app.requests == 1


def test_an_answer_that_no_longer_holds_is_made_anew(app: App, client: Client) -> None:
    """One look that says no is enough."""
    client.get("/utils")
    app.holds = False
    assert number(client.get("/utils")) == 2


@pytest.mark.parametrize("missing", Witness)
def test_nothing_is_repeated_that_a_witness_does_not_vouch_for(app: App, client: Client, missing: Witness) -> None:
    """A part of a host's own, which knows nothing of grounds, is asked each time."""
    app.witnesses.discard(missing)
    assert [number(client.get("/utils")) for _ in range(3)] == [1, 2, 3]


def test_what_rests_on_nothing_is_not_repeated(app: App, client: Client) -> None:
    """Somebody on the way could not tell."""
    app.on_the_way = lambda environ: rest_on(None)
    assert [number(client.get("/utils")) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("status", ["201 Created", "206 Partial Content", "302 Found"])
def test_only_reads_that_succeed_are_repeated(app: App, client: Client, status: str) -> None:
    """Anything but 200 and 304 is decided anew each time."""
    app.status = status
    assert [number(client.get("/utils")) for _ in range(2)] == [1, 2]


def test_a_refusal_is_not_repeated(app: App, client: Client) -> None:
    """Whoever was refused may get the answer the next time."""

    def refuse(environ: Any) -> None:
        if app.requests == 1:
            raise NotFound("There is none.", code="none")

    app.on_the_way = refuse
    assert [client.get("/utils").status for _ in range(2)] == [404, 200]


def test_streams_and_large_answers_are_not_kept(app: App, client: Client, answers: Repeat) -> None:
    """What is kept is whole and small."""
    app.is_stream = True
    assert client.get("/utils").body == b"1"
    app.is_stream, app.body = False, lambda number: b"x" * (LARGEST + 1)
    client.get("/utils")
    assert not len(answers)


def test_large_tarballs_are_not_kept(app: App, client: Client, answers: Repeat) -> None:
    """There are many, and what takes time is to send them."""
    app.on_the_way = lambda environ: setattr(
        environ["nproxy.context"], "route", parse_route("/left-pad/-/left-pad-1.0.0.tgz")
    )
    app.body = lambda number: b"x" * (LARGEST_TARBALL + 1)
    client.get("/utils")
    assert not len(answers)
    app.body = lambda number: b"x" * LARGEST_TARBALL
    client.get("/utils")
    assert len(answers) == 1


def test_a_request_with_long_headers_is_not_kept(client: Client, answers: Repeat) -> None:
    """What a client can make up does not fill the memory."""
    client.get("/utils", if_none_match='"' + "x" * 3_000 + '"')
    assert not len(answers)


def test_the_memory_is_bounded(app: App) -> None:
    """The oldest answers go."""
    answers = repeating(app, capacity=20_000)
    client = Client(answers)
    for place in range(50):
        client.get(f"/package-{place}")
    assert 0 < len(answers) < 10


def test_bodies_count_by_their_bytes(app: App) -> None:
    """Large answers push more out than small ones."""
    answers = repeating(app, capacity=40_000)
    client = Client(answers)
    app.body = lambda number: b"x" * 15_000
    for place in range(10):
        client.get(f"/package-{place}")
    assert len(answers) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/others"},
        {"method": "HEAD"},
        {"accept": "text/html"},
        {"accept_encoding": "gzip"},
        {"npm_command": "install"},
        {"authorization": "Bearer other"},
        {"authorization": ""},
        {"environ": {"SCRIPT_NAME": "/npm"}},
        {"environ": {"HTTP_HOST": "other.example"}},
        {"environ": {"wsgi.url_scheme": "https"}},
        {"environ": {"nproxy.send_file": print}},
    ],
    ids=str,
)
def test_another_request_gets_an_answer_of_its_own(app: App, client: Client, other: dict[str, Any]) -> None:
    """What an answer may depend on tells requests apart."""
    usual = {"method": "GET", "path": "/utils", "authorization": "Bearer ours", "accept": "application/json"}
    client.ask(**usual)
    assert number(client.ask(**{**usual, **other})) == 2
    assert number(client.ask(**usual)) == 1


@pytest.mark.parametrize("other", [{"SERVER_NAME": "other.example"}, {"SERVER_PORT": "8080"}], ids=str)
def test_the_servers_own_name_counts_where_no_host_is_named(app: App, client: Client, other: dict[str, str]) -> None:
    """URLs in an answer to a client that sends no Host are made of it."""
    usual = {"HTTP_HOST": None, "SERVER_NAME": "registry.example", "SERVER_PORT": "80"}
    client.get("/utils", environ=usual)
    assert number(client.get("/utils", environ={**usual, **other})) == 2
    assert number(client.get("/utils", environ=usual)) == 1


@pytest.mark.parametrize(
    "unusual", [{"query": "write=true"}, {"range": "bytes=0-1"}, {"if_modified_since": "yesterday"}, {"method": "PUT"}]
)
def test_reads_of_parts_and_changes_pass(app: App, client: Client, answers: Repeat, unusual: dict[str, Any]) -> None:
    """They are neither repeated nor kept."""
    asked = {"method": "GET", "path": "/utils", **unusual}
    assert [number(client.ask(**asked)) for _ in range(2)] == [1, 2]
    assert not len(answers)


def test_acts_are_done_for_each_request(app: App, client: Client) -> None:
    """An install is counted with the address of the client that has just asked."""
    seen: list[str] = []
    app.on_the_way = lambda environ: each_time(lambda environ: seen.append(environ["REMOTE_ADDR"]))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        client.get("/utils", environ={"REMOTE_ADDR": address})
    assert seen == ["192.0.2.2", "192.0.2.3"]


def test_outer_layers_learn_of_a_repeated_request_what_they_learn_of_the_first(app: App) -> None:
    """An access log reads the context after the call, whoever answered."""
    seen: list[Context] = []

    def look(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            environ, context = opened(environ)
            seen.append(context)
            return inner(environ, start_response)

        return layer

    def learn(environ: Any) -> None:
        context = environ["nproxy.context"]
        context.cache, context.verdicts, context.versions_blocked = "hit", (("block", "malware"),), 3
        context.versions_warned = 2
        context.route = parse_route("/left-pad")
        for each in ("org", "principal", "destination", "settings"):
            setattr(context, each, f"the {each}")

    app.on_the_way = learn
    client = client_of(app, look)
    client.get("/utils"), client.get("/utils")
    first, second = map(copy, seen)
    assert app.requests == 1
    assert first.request_id != second.request_id
    first.request_id = second.request_id
    assert first == second


def test_a_repeated_answer_has_the_id_of_a_layer_further_out(app: App) -> None:
    """Such as the access log of a host, which names requests by itself."""

    def named(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            return inner({**environ, "nproxy.context": Context(request_id=environ["HTTP_X_TRACE"])}, start_response)

        return layer

    client = client_of(app, named)
    answers = [client.get("/utils", x_trace=trace) for trace in ("one", "two")]
    assert app.requests == 1
    assert [answer.request_id for answer in answers] == ["one", "two"]


@pytest.mark.parametrize(
    "other", [{}, {"path": "/others"}, {"method": "PUT"}, {"method": "POST"}, {"query": "write=true"}], ids=str
)
def test_a_server_that_cannot_wait_gets_what_is_kept(app: App, client: Client, other: dict[str, Any]) -> None:
    """And nothing else: no layer below sees such a request."""
    client.get("/utils")
    asked = {"method": "GET", "path": "/utils", "environ": {AT_ONCE: True}, **other}
    if other:
        with pytest.raises(NotAtOnce):
            client.ask(**asked)
    else:
        assert number(client.ask(**asked)) == 1
    app.holds = False
    with pytest.raises(NotAtOnce):
        client.ask(**asked)
    assert app.requests == 1


def test_a_server_that_cannot_wait_asks_no_look_that_does(app: App, client: Client) -> None:
    """What takes long is looked at where it is in nobody's way."""

    def look() -> bool:
        about_to_wait()
        return True

    app.on_the_way = lambda environ: rest_on(look)
    client.get("/utils")
    with pytest.raises(NotAtOnce):
        client.get("/utils", environ={AT_ONCE: True})
    assert number(client.get("/utils")) == 1


@pytest.mark.parametrize("what", ["look", "act"])
def test_an_error_is_answered_by_the_layers_below(app: App, client: Client, what: str) -> None:
    """Outside ErrorResponses nobody would make an answer of it that a client can read."""

    def fail(*_: Any) -> bool:
        raise OSError("The disk is gone.")

    if what == "act":
        app.on_the_way = lambda environ: each_time(fail)
    else:
        app.on_the_way = lambda environ: rest_on(fail)
    assert [number(client.get("/utils")) for _ in range(2)] == [1, 2]


def test_an_outer_layer_may_write_into_the_context(app: App) -> None:
    """What it writes after the call is told of this request alone, and is not told of the next one."""
    seen: list[Context] = []

    def look(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            environ, context = opened(environ)
            body = inner(environ, start_response)
            seen.append(copy(context))
            context.cache, context.versions_blocked = "mine", 99
            return body

        return layer

    client = client_of(app, look)
    for _ in range(3):
        client.get("/utils")
    assert app.requests == 1
    assert {(context.cache, context.versions_blocked) for context in seen} == {(None, 0)}


def test_an_answer_that_replaces_another_says_so(app: App) -> None:
    """The server is told of the exception for which the headers are given once more."""
    seen: list[Any] = []

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append(exc_info)

    def again(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Internal Server Error", [], sys.exc_info())
        return [b"failed"]

    answers = Repeat(again)
    assert list(answers({"REQUEST_METHOD": "GET", "PATH_INFO": "/utils"}, start)) == [b"failed"]
    assert [exc_info and exc_info[0] for exc_info in seen] == [None, ValueError]
    assert not len(answers)


def test_a_registry_that_is_asked_on_the_way_notes_for_itself(app: App, client: Client) -> None:
    """An answer within which another Repeat answers rests on its own looks alone, before and after."""
    inner = App()
    inner.witnesses = set()
    asks = client_of(inner)
    app.on_the_way = lambda environ: asks.get("/inner")
    client.get("/utils")
    inner.holds = False
    assert number(client.get("/utils")) == 1
    app.holds = False
    assert number(client.get("/utils")) == 2


def test_an_outer_layer_may_change_headers_and_body(app: App) -> None:
    """What is kept stays as it was."""

    def spoil(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                if "HTTP_X_SPOIL" in environ:
                    headers.append(("X-Spoiled", "yes"))
                return start_response(status, headers)

            body = inner(environ, start)
            if "HTTP_X_SPOIL" in environ:
                body[:] = [b"?"]
            return body

        return layer

    client = client_of(app, spoil)
    for _ in range(2):
        assert client.get("/utils", x_spoil="yes").body == b"?"
    assert client.get("/utils").body == b"1"
    assert "x-spoiled" not in client.get("/utils").headers


def test_an_etag_that_a_client_makes_up_fills_nothing(client: Client, answers: Repeat) -> None:
    """An answer that replaces another ETag is not kept: there is no end of those."""
    for place in range(3):
        client.get("/utils", if_none_match=f'"{place}"')
    assert not len(answers)


def test_answers_by_other_settings_are_forgotten(app: App, client: Client, answers: Repeat) -> None:
    """They hold no longer, and would keep the settings of before in memory."""

    def answered_by(org: str, settings: object) -> None:
        def learn(environ: Any) -> None:
            environ["nproxy.context"].org, environ["nproxy.context"].settings = org, settings

        app.on_the_way = learn

    before, others, after = object(), object(), object()
    answered_by("acme", before)
    client.get("/acme/utils"), client.get("/acme/others")
    answered_by("other", others)
    client.get("/other/utils")
    assert len(answers) == 3
    answered_by("acme", after)
    client.get("/acme/more")
    assert len(answers) == 2
    assert [number(client.get(path)) for path in ("/other/utils", "/acme/more")] == [3, 4]


def test_the_answers_of_many_organizations_stay(app: App, client: Client, answers: Repeat) -> None:
    """Of more than those whose settings are remembered."""

    settings = {str(org): object() for org in range(300)}

    def learn(environ: Any) -> None:
        context = environ["nproxy.context"]
        context.org = environ["PATH_INFO"].split("/")[1]
        context.settings = settings[context.org]

    app.on_the_way = learn
    for path in ("/utils", "/others"):
        for org in settings:
            client.get(f"/{org}{path}")
    assert len(answers) == 600


def test_no_token_is_kept(client: Client, answers: Repeat) -> None:
    """Requests are told apart by a digest."""
    client.get("/utils", authorization="Bearer nproxy_secret")
    assert len(answers) == 1
    assert "nproxy_secret" not in repr(list(answers._answers._values))


def test_what_is_compared_is_named_once() -> None:
    """Each of them is a key of the environ."""
    assert len(set(COMPARED)) == len(COMPARED)
