"""The context of a request: filled downwards, read by those above."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec import structs
from support.client import Client, validated
from support.layers import FixedSettings, say, with_context
from support.registry import RegistryFixture, publish

from nproxy_mw import Mount
from nproxy_mw.access import Grant, Principal
from nproxy_mw.errors import MissingLayer, NotFound
from nproxy_mw.http import context as context_module
from nproxy_mw.http.context import CONTEXT, Context, Key, actor_of, context_of, opened
from nproxy_mw.http.handlers import routed
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.npm.names import parse_name
from nproxy_mw.stack import front_page
from nproxy_mw.testing.documents import publish_document

KEYS = [value for value in vars(context_module).values() if isinstance(value, Key)]


class AccessLog:
    """A host's own layer in ten lines: it stands outside, and knows all that the layers inside found out."""

    def __init__(self, app):
        self.app = app
        self.lines = []

    def __call__(self, environ, start_response):
        environ, context = opened(environ)

        def start(status, headers, exc_info=None):
            self.lines.append((status, context))
            return start_response(status, headers, exc_info)

        return self.app(environ, start)

    @property
    def last(self):
        status, context = self.lines[-1]
        return status, context.principal.name, str(context.route.name), context.destination.value


@pytest.fixture(params=["above the stack", "outside a mount", "outside ErrorResponses"])
def watched(request):
    """A registry with such a layer at one place: its log, a client, and where the registry is."""
    acme = RegistryFixture()
    token = acme.token()
    if request.param == "outside ErrorResponses":
        logs = []
        layers = acme.layers.above("error_responses", access_log=lambda app: logs.append(AccessLog(app)) or logs[0])
        app = validated(layers, on=front_page)
        return logs[0], Client(app, token), ""
    if request.param == "outside a mount":
        log = AccessLog(Mount(front_page, "/npm", acme.app))
        return log, Client(log, token), "/npm"
    log = AccessLog(acme.app)
    return log, Client(log, token), ""


def test_outer_layer_reads_what_inner_ones_found(watched):
    """Principal, route, destination and status, whether the request was answered or refused."""
    log, client, prefix = watched
    response = client.put(f"{prefix}/@acme%2futils", publish_document("@acme/utils", "1.0.0"))
    assert (response.status, log.last) == (201, ("201 Created", "ann", "@acme/utils", "internal"))
    assert client.get(f"{prefix}/lodash").status == 404
    assert log.last == ("404 Not Found", "ann", "lodash", "upstream")


def test_outer_layer_knows_the_id_that_the_client_is_given(watched):
    """One id in the error's body, in the header, and in a log of the host's."""
    log, client, prefix = watched
    response = client.get(f"{prefix}/@acme/absent")
    assert response.json["requestId"] == response.request_id == log.lines[-1][1].request_id


def test_request_refused_early_has_what_was_found_until_then(watched):
    """A wrong token ends the way down: who asks is not known, and nobody is made up."""
    log, client, prefix = watched
    assert Client(client.app, client.token[:-1] + "!").get(f"{prefix}/@acme/utils").status == 401
    context = log.lines[-1][1]
    assert (context.principal, context.route, context.destination) == (None, None, None)


def test_id_of_the_host_is_kept():
    """A host with ids of its own puts one in first."""

    def host(environ, start_response):
        environ, context = opened(environ)
        context.request_id = "host-7"
        return ErrorResponses(absent)(environ, start_response)

    def absent(environ, start_response):
        raise NotFound("No.")

    response = Client(host).get("/x")
    assert (response.json["requestId"], response.request_id) == ("host-7", "host-7")


def test_environ_of_the_host_is_left_alone():
    """Opening copies: what a server handed over is never written to, and an open context is found again."""
    environ = {"PATH_INFO": "/"}
    inner, context = opened(environ)
    again, same = opened(inner)
    assert environ == {"PATH_INFO": "/"}
    assert same is context
    assert again == inner
    assert type(inner) is dict


def test_context_of_another_request_opens_nothing():
    """Each request authenticates anew: who asked before is not who asks now, even with one context for both."""
    acme = RegistryFixture()
    assert publish(acme.client()).status == 201
    context = Context(principal=Principal("ann", frozenset(Grant), token_hash="0" * 64))
    assert acme.stranger(**{CONTEXT: context}).get("/@acme/utils").status == 401
    assert context.principal.is_anonymous


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.field)
def test_key_names_a_field_and_the_layer_that_fills_it(key):
    """Each key reads a field that exists; without the layer, the sentence says which one to put where."""
    assert key.field in {field.name for field in structs.fields(Context)}
    with pytest.raises(MissingLayer, match=rf"^Own found no {key.field}: put {key.layer} outside Own \(see "):
        key.require(with_context({}), by="Own")
    with pytest.raises(MissingLayer):
        key.require({}, by="Own")
    assert key.find({}) is None
    assert key.require(with_context({}, **{key.field: "x"}), by="Own") == key.find(with_context({}, **{key.field: "x"}))


def test_context_without_a_request_id_is_not_enough():
    """A host that opened a context has not put ErrorResponses in by that."""
    with pytest.raises(MissingLayer, match="put ErrorResponses outside Own"):
        context_of(with_context({}), by="Own")


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        pytest.param("npm/11", "npm/11", id="plain"),
        pytest.param("a\x00b\x1b[31mc\r\nd\x85", "ab[31mcd", id="without control characters"),
        pytest.param("x" * 5000, "x" * 256, id="bounded"),
    ],
)
def test_actor_is_bounded_and_printable(agent, kept):
    """What the audit trail keeps of a request cannot break a terminal, nor fill a disk."""
    context = Context(request_id="1", principal=Principal("ann", token_hash="00"))
    actor = actor_of(context, {"REMOTE_ADDR": "192.0.2.7" + "\x07" * 100, "HTTP_USER_AGENT": agent})
    assert (actor.name, actor.token_hash, actor.request_id) == ("ann", "00", "1")
    assert (actor.user_agent, actor.ip) == (kept, "192.0.2.7")


def test_settings_are_asked_once_per_request():
    """All layers of one request judge by the same settings, however often they look."""
    asked = []

    def settings():
        asked.append(1)
        return FixedSettings()

    def below(environ, start_response):
        request = routed(environ, by="tests")
        names = [parse_name(text) for text in ("lodash", "@acme/utils")]
        return say(environ, start_response, [request.is_internal(name) for name in names])

    acme = RegistryFixture()
    layers = acme.layers.replace(scope_router=partial(ScopeRouter, settings=settings), forwarder=lambda app: below)
    assert Client(validated(layers, on=below)).get("/lodash").json == [False, True]
    assert asked == [1]
