"""What serve does before the first worker starts, and what it serves then."""

from __future__ import annotations

import logging
import ssl
from argparse import Namespace

import pytest
from support.client import Client
from support.registry import ACTOR

from nproxy_mw import organization_at
from nproxy_mw.cli import greeting, late_dashboard, serve
from nproxy_mw.cli.addresses import Bind, ChosenUpstream
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.serving import Serving, prepare
from nproxy_mw.cli.stores import open_organizations
from nproxy_mw.errors import StorageUnavailable, UpstreamUnavailable
from nproxy_mw.hosting.administration import administrators_of
from nproxy_mw.middleware.dashboard.assets import ASSETS
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.restrictions import Restrictions, parse_addresses
from nproxy_mw.testing.upstream import RecordingUpstream, Reply

NONE = ChosenUpstream(None, "Internal packages only.")
URL = "http://127.0.0.1:4874"


def serving(storage, resolve=FixedOrg("default"), upstream=NONE, **given):  # noqa: B008 - a value
    options = Namespace(**{option.attribute: option.resolve(None, {}) for option in serve.OPTIONS})
    for name, value in {"storage": str(storage), **given}.items():
        assert hasattr(options, name)
        setattr(options, name, value)
    return Serving(options, resolve, upstream)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def test_fixed_organization_is_created_on_an_empty_store(store):
    """The first start makes it, with its scopes; what is served then knows them."""
    one = serving(store, FixedOrg("acme"), scope=("@acme",))
    prepare(one)
    prepare(one)
    assert organization_at(str(store), "acme").settings.get().internal_scopes == ("@acme",)
    assert Client(one.application()).get("/@acme/x").status == 401


def test_pages_are_there_when_somebody_wants_one(store):
    """A browser at the root, a page, a style sheet; a client of the registry never makes them."""
    one = serving(store)
    prepare(one)
    app = one.application()
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_dashboard, "_dashboard", lambda *_: lambda app: made.append(app) or app)
        aside = Client(one.application())
        assert aside.get("/-/ping").status == 200
        assert made == []
        aside.get("/-/dashboard/")
        aside.get("/-/dashboard/")
        assert len(made) == 1
    browser = Client(app, headers={"Accept": "text/html,*/*;q=0.8"})
    assert browser.get("/").headers["location"] == "/-/dashboard/"
    assert b"Sign in" in browser.get("/-/dashboard/sign-in").body
    assert Client(app).get(f"/-/dashboard/{next(iter(ASSETS))}").status == 200
    assert Client(app).get("/-/ping").status == 200


def test_typo_makes_no_organization(store):
    """A store that has organizations and not this one: what there is, and how to make it."""
    prepare(serving(store, FixedOrg("acme")))
    with pytest.raises(UsageError, match=r"'acmee' in .*store; it has acme: .* 'nproxy-mw org create acmee'\."):
        prepare(serving(store, FixedOrg("acmee")))
    assert [one.id for one in open_organizations(str(store)).directory.list()] == ["acme"]


@pytest.mark.parametrize(
    ("resolve", "given", "said"),
    [
        pytest.param(ByPath(), {"scope": ("@acme",)}, "settings set", id="nobody knows whose scope it is"),
        pytest.param(ByPath(), {"storage": "memory://x"}, "ends with one process", id="memory"),
        pytest.param(ByPath(), {"storage": "s3://"}, "name of a bucket", id="no bucket"),
        pytest.param(ByPath(), {"trust_forwarded_host": True}, "--trusted-proxies", id="no proxies to trust"),
        pytest.param(ByPath(), {"trust_forwarded_prefix": True}, "--trusted-proxies", id="no proxies to trust"),
    ],
)
def test_contradiction_is_refused(store, resolve, given, said):
    """Before anything is made."""
    with pytest.raises(UsageError, match=said):
        prepare(serving(**{"storage": store, "resolve": resolve, **given}))
    assert not store.exists()


def test_keys_that_cannot_be_opened_stop_the_start(store):
    """A seal key that is missing or another one is found out now, and not by the first publish."""
    with_seal = serving(store, seal_key=Seal(b"1" * 32))
    prepare(with_seal)
    with_seal.organizations().open("default").keys.signers(actor=ACTOR)
    prepare(with_seal)
    for seal in (None, Seal(b"2" * 32)):
        with pytest.raises(StorageUnavailable, match="NPROXY_SEAL_KEY"):
            prepare(serving(store, seal_key=seal))


ONE = {"trusted_proxies": 1}
FORWARDED = {
    "HTTP_X_FORWARDED_FOR": "192.0.2.1",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "evil.example",
    "HTTP_X_FORWARDED_PREFIX": "/evil",
}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        pytest.param({}, "http://registry.example/", id="nobody is believed"),
        pytest.param(ONE, "https://registry.example/", id="scheme and address"),
        pytest.param({**ONE, "trust_forwarded_host": True}, "https://evil.example/", id="host, too"),
        pytest.param({**ONE, "trust_forwarded_prefix": True}, "https://registry.example/evil/", id="prefix, too"),
    ],
)  # fmt: skip
def test_each_forwarded_header_is_believed_by_its_own_option(store, given, url):
    """A proxy that sets one of them hands the others on as the client sent them."""
    one = serving(store, **given)
    prepare(one)
    assert Client(one.application(), environ=FORWARDED).get("/").json["registry"] == url


def test_authorities_are_read_before_the_start(store, tmp_path):
    """A file that is missing, empty or something else is said, and not at the first request."""
    upstream = ChosenUpstream("https://upstream.example/npm")
    pem = tmp_path / "ca.pem"
    for text, said in ((None, "ca.pem cannot be read: No such file"), ("", "certificates in PEM"), ("x", "in PEM")):
        if text is not None:
            pem.write_text(text)
        with pytest.raises(UsageError, match=said):
            prepare(serving(store, upstream=upstream, upstream_ca=str(pem)))
    authorities = ssl.get_default_verify_paths().cafile
    if authorities:
        assert serving(store, upstream=upstream, upstream_ca=authorities).transport() is not None
    assert serving(store).transport() is None


def test_upstream_gets_one_kind_of_credentials(store):
    """A password in the URL and a token contradict each other; neither is quoted."""
    upstream = ChosenUpstream("https://ann:hush@upstream.example")
    with pytest.raises(UsageError, match="leave one of them out") as caught:
        prepare(serving(store, upstream=upstream, upstream_token="hushed"))
    assert "hush" not in str(caught.value)


@pytest.fixture
def upstreams():
    with RecordingUpstream() as one, RecordingUpstream() as other:
        yield one, other


def test_token_goes_to_the_upstream(store, upstreams):
    """With reads, as a Bearer token."""
    upstream, _ = upstreams
    serving(store, upstream=ChosenUpstream(upstream.url), upstream_token="a-token").transport().send(
        "GET", "/x"
    ).close()
    (request,) = upstream.asked("/x")
    assert request.headers["authorization"] == "Bearer a-token"


@pytest.mark.parametrize("is_allowed", [True, False])
def test_tarballs_may_lie_at_an_allowed_origin(store, upstreams, is_allowed):
    """And at no other."""
    upstream, other = upstreams
    other.on("GET", "/x.tgz", Reply(200, b"there"))
    allowed = (other.url,) if is_allowed else ()
    transport = serving(store, upstream=ChosenUpstream(upstream.url), allowed_origin=allowed).transport()
    if not is_allowed:
        with pytest.raises(UpstreamUnavailable):
            transport.fetch("GET", f"{other.url}/x.tgz")
        return
    with transport.fetch("GET", f"{other.url}/x.tgz") as response:
        assert response.read(10) == b"there"


@pytest.mark.parametrize("how", ["option", "variable"])
def test_upstream_is_asked_through_a_proxy(store, upstreams, monkeypatch, how):
    """The one that is given, else that of the environment."""
    proxy, _ = upstreams
    if how == "variable":
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
    given = {"upstream_proxy": proxy.url} if how == "option" else {}
    serving(store, upstream=ChosenUpstream("http://upstream.invalid"), **given).transport().send("GET", "/x").close()
    assert [request.path for request in proxy.requests] == ["http://upstream.invalid/x"]


def test_operator_reads_what_to_do_next(store):
    """How to make the first organization and the first administrator, and not once they are there."""
    one = serving(store, ByPath())
    prepare(one)
    shown = greeting.about_storage(one, URL)
    assert f"org create acme --storage {store}" in shown
    assert f"admin create NAME --storage {store}" in shown
    organizations = one.organizations()
    organizations.directory.create("acme", actor=ACTOR)
    administrators_of(organizations.storage).create("ann", "correct horse battery", actor=ACTOR)
    shown = greeting.about_storage(serving(store, ByHost("registry.example")), URL)
    assert "There is acme." in shown
    assert "ID.registry.example" in shown
    assert "create" not in shown


def test_first_start_shows_the_lines_of_each_client(store):
    """Until there is a token; those that several clients share are shown once."""
    one = serving(store, scope=("@acme", "@tools"))
    prepare(one)
    shown = greeting.about_storage(one, URL)
    assert f"@acme/*, @tools/* from {store}.\nInternal packages only.\n" in shown
    assert "npm, yarn 1, bun, deno, in .npmrc:\n" in shown
    for line in (f"registry={URL}/", "npmRegistryServer:", "minimumReleaseAgeExclude:", "pnpm config set"):
        assert line in shown
    assert f"token create --scope proxy --scope publish --storage {store})" in shown
    one.organizations().open("default").tokens.create("ann", ["proxy"], actor=ACTOR)
    assert "token create" not in greeting.about_storage(one, URL)


def test_server_without_a_scope_says_what_to_give(store):
    """A registry without a scope keeps nothing: that is said, and no first steps."""
    one = serving(store)
    prepare(one)
    shown = greeting.about_storage(one, URL)
    assert "start with --scope @acme" in shown
    assert "npmrc" not in shown


@pytest.mark.parametrize(
    ("bind", "everywhere"),
    [(Bind("127.0.0.1", 80), False), (Bind("0.0.0.0", 80), True), (Bind("::", 80), True)],  # noqa: S104
)
def test_address_of_all_is_said(bind, everywhere):
    """Whoever writes :80 may not know that others can reach it."""
    assert ("every address of this machine, port 80" in greeting.ready(URL, bind)) is everywhere


def test_greeting_stops_nothing(store, capsys, caplog):
    """A storage that fails just then is a line in the log; where the registry is is said all the same."""
    one = serving(store)
    prepare(one)
    (store / "orgs" / "default" / "settings.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        thread = greeting.begin(one, Bind("127.0.0.1", 4874))
        thread.join(timeout=30)
    assert capsys.readouterr().out == f"nproxy-mw is ready at {URL}/ (Ctrl-C stops it).\nInternal packages only.\n"
    assert "could not be read for the greeting" in caplog.text


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        pytest.param(0, "203.0.113.9", 403, id="no proxy is trusted"),
        pytest.param(1, "203.0.113.9", 200, id="behind one proxy"),
        pytest.param(1, "203.0.113.9, 198.51.100.1", 403, id="one that the client made up"),
        pytest.param(2, "203.0.113.9, 198.51.100.1", 200, id="behind two proxies"),
        pytest.param(1, "2001:db8::5", 200, id="IPv6"),
        pytest.param(1, "", 403, id="a proxy that says nothing"),
    ],
)
def test_a_token_for_some_addresses_behind_proxies(store, proxies, forwarded, status):
    """The address is the one that the last trusted proxy saw, never one that a client claims."""
    one = serving(store, FixedOrg("acme"), trusted_proxies=proxies)
    prepare(one)
    restrictions = Restrictions(addresses=parse_addresses(["203.0.113.0/24", "2001:db8::/32"]))
    tokens = organization_at(str(store), "acme").tokens
    secret, _ = tokens.create("ci", ["proxy"], restrictions=restrictions, actor=ACTOR)
    client = Client(one.application(), secret, environ={"REMOTE_ADDR": "127.0.0.1"})
    assert client.get("/-/whoami", X_Forwarded_For=forwarded).status == status
