"""The stack: its one right order, and the noise of every wrong one."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from support.client import Client, run, validated
from support.layers import say
from support.registry import RegistryFixture, publish

from nproxy_mw import registry
from nproxy_mw.access import Grant, Principal
from nproxy_mw.errors import MissingLayer, NotFound
from nproxy_mw.http.context import PRINCIPAL, ROUTE
from nproxy_mw.http.views import Views
from nproxy_mw.orgs.tokens import StaticTokens
from nproxy_mw.stack import front_page, layers, stack
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.token_format import make_secret

ORDER = ("ErrorResponses", "Authenticate", "ScopeRouter", "InternalStore", "Forwarder")
CLASSES = ("ErrorResponses", "Authenticate", "ScopeRouter", "RateLimit", "RecordInstalls", "InternalStore", "Forwarder")
"""`RecordInstalls` needs nothing but the route: without it the same is answered, and no door opens."""
NAMES = (
    *("error_responses", "authenticate", "scope_router", "rate_limit"),
    *("record_installs", "internal_store", "forwarder"),
)
WRONG = [order for size in range(1, 6) for order in permutations(ORDER, size) if order not in (ORDER, ORDER[:4])]
CURES = {
    "Authenticate": "put ErrorResponses outside Authenticate",
    "ScopeRouter": "put Authenticate outside ScopeRouter",
    "InternalStore": "put ScopeRouter outside InternalStore",
    "Forwarder": "put ScopeRouter outside Forwarder",
}
INTERNAL = (
    "/@acme/utils",
    "/@acme/utils/latest",
    "/@acme/utils/-/utils-1.0.0.tgz",
    "/-/package/@acme/utils/dist-tags",
    "/-/npm/v1/attestations/@acme/utils@1.0.0",
)


@pytest.fixture(scope="module")
def built():
    """A registry with one package, and its layers by name."""
    acme = RegistryFixture()
    client = acme.client()
    assert publish(client).status == 201
    return (
        acme,
        dict(zip(ORDER, acme.layers.without("record_installs").without("rate_limit"), strict=True)),
        client.token,
    )


def ask(app, token, method, path):
    """The status and the sentence; what comes up to the server counts as a 500."""
    try:
        response = Client(app, token).ask(method, path)
    except MissingLayer as error:
        return 500, str(error)
    return response.status, response.error if response.status >= 400 and method != "HEAD" else ""


def test_right_order_answers(built):
    """The order of the drawing serves the package."""
    acme, by_name, token = built
    app = validated([by_name[name] for name in ORDER], on=front_page)
    assert ask(app, token, "GET", "/@acme/utils") == (200, "")
    assert ask(app, token, "GET", "/lodash")[0] == 404
    acme.upstream.asked.clear()


@pytest.mark.parametrize("order", WRONG, ids="-".join)
def test_wrong_order_never_opens_a_door(built, order):
    """With a layer missing or out of place nothing internal is served, nor asked of the upstream."""
    acme, by_name, token = built
    app = validated([by_name[name] for name in order], on=failing)
    for path in INTERNAL[: 1 if len(order) == 5 else 2]:
        for who in (token, ""):
            status, _ = ask(app, who, "GET", path)
            assert status >= 400
    assert acme.upstream.asked == []


@pytest.mark.parametrize("order", list(permutations(ORDER))[1:], ids="-".join)
def test_every_wrong_permutation_names_the_cure(built, order):
    """All five layers in any other order: a MissingLayer that says which one to put where."""
    acme, by_name, token = built
    app = validated([by_name[name] for name in order], on=failing)
    for method, path in (("GET", "/@acme/utils"), ("PUT", "/@acme/utils"), ("DELETE", "/@acme/utils/-rev/1-x")):
        status, sentence = ask(app, token, method, path)
        assert status == 500
        assert " outside " in sentence
    assert acme.upstream.asked == []


@pytest.mark.parametrize("missing", ORDER)
def test_missing_layer_names_the_cure(built, missing):
    """One layer left out: the sentence names it, or, without the lowest, what lies below answers."""
    _, by_name, token = built
    app = validated([by_name[name] for name in ORDER if name != missing], on=failing)
    status, sentence = ask(app, token, "GET", "/lodash" if missing == "Forwarder" else "/@acme/utils")
    assert status == 500 if missing != "Forwarder" else status == 404
    assert f"put {missing} outside" in sentence or missing == "Forwarder"


@pytest.mark.parametrize("alone", sorted(CURES))
def test_layer_alone_says_what_it_needs(built, alone):
    """A layer without the others does not guess."""
    _, by_name, _ = built
    with pytest.raises(MissingLayer, match=CURES[alone]):
        run(by_name[alone](failing), environ_of(built[0].client()))


@pytest.mark.parametrize("pair", list(combinations(ORDER[1:], 2)), ids="-".join)
def test_pairs_without_error_responses_are_loud(built, pair):
    """Even without the layer that answers errors, the server hears of it."""
    _, by_name, _ = built
    with pytest.raises(MissingLayer):
        run(stack(*(by_name[name] for name in pair), on=failing), environ_of(built[0].client()))


def failing(environ, start_response):
    """What lies below in these tests: a registry's paths must never come down to it."""
    raise NotFound("Below.")


def environ_of(client):
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    Client(app, client.token).get("/@acme/utils")
    return dict(seen[0])


def test_stack_puts_the_first_outermost():
    """Top to bottom is the way of a request."""
    way = []

    def layer(name):
        return lambda app: lambda environ, start: (way.append(name), app(environ, start))[1]

    app = stack(layer("one"), layer("two"), on=lambda environ, start: way.append("host") or [])
    assert (app({}, None), way) == ([], ["one", "two", "host"])


def test_stack_of_nothing_is_the_application():
    """Without layers there is only what it stands on."""
    assert stack(on=front_page) is front_page


def test_layers_are_in_the_order_of_the_drawing(acme):
    """A host that puts one of its own between them can count on the order."""
    assert tuple(getattr(layer, "func", layer).__name__ for layer in acme.layers) == CLASSES
    without = layers(acme.organization, None).by_name["forwarder"]
    assert getattr(without, "func", without).__name__ == "NoUpstream"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        pytest.param(lambda it: it.above("scope_router", mine=str), [*NAMES[:2], "mine", *NAMES[2:]], id="above"),
        pytest.param(lambda it: it.below("scope_router", mine=str), [*NAMES[:3], "mine", *NAMES[3:]], id="below"),
        pytest.param(lambda it: it.above("error_responses", mine=str), ["mine", *NAMES], id="outermost"),
        pytest.param(lambda it: it.below("forwarder", a=str, b=str), [*NAMES, "a", "b"], id="two, in their order"),
        pytest.param(lambda it: it.without("authenticate"), [NAMES[0], *NAMES[2:]], id="without"),
        pytest.param(lambda it: it.replace(authenticate=str), [*NAMES], id="replaced"),
    ],
)
def test_layers_are_changed_by_name(acme, change, names):
    """A host names the place; the original stays as it was."""
    changed = change(acme.layers)
    assert list(changed.by_name) == names
    assert list(changed) == list(changed.by_name.values())
    assert list(acme.layers.by_name) == list(NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda it: it.above("router", mine=str), "named router: there are error_resp", id="above"),
        pytest.param(lambda it: it.below("router", mine=str), "no layer named router", id="below"),
        pytest.param(lambda it: it.without("router"), "no layer named router", id="without"),
        pytest.param(lambda it: it.replace(router=str), "no layer named router", id="replace"),
        pytest.param(lambda it: it.above("forwarder", authenticate=str), "named authenticate already", id="name taken"),
    ],
)
def test_layer_that_is_not_there_is_refused(acme, change, message):
    """A misspelled name fails when the stack is built, and says which names there are."""
    with pytest.raises(ValueError, match=message):
        change(acme.layers)


def test_hosts_layer_stands_where_it_was_put(acme):
    """Right outside ScopeRouter: who asks is known there, and the route is not yet."""
    seen = []

    def limit(app):
        def layer(environ, start_response):
            seen.append((PRINCIPAL.require(environ, by="limit").name, ROUTE.find(environ)))
            return app(environ, start_response)

        return layer

    app = validated(acme.layers.above("scope_router", limit=limit), on=front_page)
    assert Client(app, acme.token()).get("/-/ping").status == 200
    assert seen == [("ann", None)]


def test_registry_in_one_call(tmp_path):
    """A folder, a scope and a token are a registry; the scope is stored."""
    token = make_secret()
    tokens = StaticTokens({token: Principal(name="ci", grants=frozenset(Grant))})
    client = Client(registry(str(tmp_path), internal_scopes=["@acme"], tokens=tokens), token)
    assert publish(client).status == 201
    assert client.get("/-/whoami").json == {"username": "ci"}
    again = Client(registry(f"file://{tmp_path}", tokens=tokens), token)
    assert again.get("/@acme/utils").status == 200


def test_upstream_hears_no_internal_name_out_of_a_document(tmp_path):
    """A public package may depend on an internal one; rules look at its dependencies, and ask for public ones only."""
    with RecordingUpstream() as upstream:
        upstream.publish("cli", "1.0.0")
        upstream.publish("cli", "1.1.0", {"dependencies": {"@acme/secret": "^1.0.0", "left-pad": "^1.0.0"}})
        client = Client(registry(str(tmp_path), internal_scopes=["@acme"], upstream=upstream.url))
        assert client.get("/cli").status == 200
        asked = {request.path for request in upstream.requests}
    assert asked == {"/cli", "/left-pad"}


def test_registry_without_upstream_has_internal_packages_alone(tmp_path):
    """Public names are absent with a reason, audits find nothing, and no install fails by it."""
    client = Client(registry(str(tmp_path), internal_scopes=["@acme"]))
    assert (client.get("/lodash").status, client.get("/lodash").code) == (404, "no-upstream")
    assert client.put("/lodash", {}).status == 403
    assert client.post("/-/npm/v1/security/advisories/bulk", {"lodash": ["1.0.0"]}).json == {}
    assert client.post("/-/npm/v1/security/audits/quick", {}).json["metadata"]["totalDependencies"] == 0
    assert client.get("/@acme/utils").status == 401


def test_root_is_the_hosts(tmp_path):
    """An application given as *on* is handed the root path and nothing else."""

    def host(environ, start_response):
        return say(environ, start_response, {"host": environ["PATH_INFO"]})

    client = Client(registry(str(tmp_path), on=host))
    assert client.get("/").json == {"host": "/"}
    assert client.get("/lodash").status == 404
    assert Client(registry(str(tmp_path))).get("/").json == {"registry": "http://registry.example/"}


def test_public_url_holds_everywhere(tmp_path):
    """Where clients reach the registry is said as configured, whatever Host a client sends."""
    token = make_secret()
    tokens = StaticTokens({token: Principal(name="ci", grants=frozenset(Grant))})
    public = "https://npm.acme.example/x"
    app = registry(str(tmp_path), internal_scopes=["@acme"], tokens=tokens, public_url=public + "/")
    client = Client(app, token)
    assert publish(client).status == 201
    for host in ("registry.example", "evil<"):
        manifest = client.get("/@acme/utils/1.0.0", Host=host).json
        assert manifest["dist"]["tarball"] == f"{public}/@acme/utils/-/utils-1.0.0.tgz"
        assert client.get("/", Host=host).json == {"registry": f"{public}/"}


def test_upstream_is_asked_as_the_host_says(tmp_path):
    """With its token, through the authorities it names, and for files at the places it allows."""
    with RecordingUpstream() as upstream, RecordingUpstream() as files:
        data = files.publish("lodash", "1.0.0")
        upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{files.url}/lodash/-/lodash-1.0.0.tgz"}})
        upstream.state.tarballs = {}
        app = registry(str(tmp_path), upstream=upstream.url, upstream_token="up_x", allowed_origins=[files.url])
        assert Client(app).get("/lodash/-/lodash-1.0.0.tgz").body == data
        assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer up_x"}
        assert "authorization" not in files.requests[0].headers


@pytest.mark.parametrize(
    "options", [{"upstream_token": "x"}, {"allowed_origins": ["https://files.example"]}, {"ca_file": "ca.pem"}]
)
def test_options_of_an_upstream_need_its_url(tmp_path, options):
    """A transport of the host's own brings its own; without an upstream they would be silently unused."""
    with pytest.raises(ValueError, match="belong to an upstream given by its URL"):
        registry(str(tmp_path / "store"), **options)
    assert not (tmp_path / "store").exists()


def test_both_layers_read_from_the_hosts_source(acme):
    """A component of the host stands before public packages and before the keys that are listed with our own."""
    asked = []

    class Nothing:
        def packument(self, name, *, unless="", for_write=False):
            asked.append(str(name))
            raise NotFound("Nothing.")

        def document(self, route, *, unless=""):
            asked.append(route.kind.name)
            raise NotFound("Nothing.")

    client = Client(stack(*layers(acme.organization, acme.upstream, source=Nothing()), on=front_page))
    assert (client.get("/lodash").status, client.get("/-/npm/v1/keys").status) == (404, 404)
    assert (asked, acme.upstream.asked) == (["lodash", "KEYS"], [])


def test_slim_form_can_be_switched_off(tmp_path):
    """With views of the host's own."""
    manifest = {"readme": "long"}
    with RecordingUpstream() as upstream:
        upstream.publish("lodash", "1.0.0", manifest)
        for slim in (True, False):
            app = registry(str(tmp_path), upstream=upstream.url, views=Views(slim=slim))
            packument = Client(app).get("/lodash", npm_command="install").json
            assert ("readme" in packument["versions"]["1.0.0"]) is not slim
