"""Every file in examples/ runs, and publishes and serves a package."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.logs import messages_of
from werkzeug.test import Client

from nproxy_mw import Grant, organization_at
from nproxy_mw.access import Actor
from nproxy_mw.npm.facts import History, Release
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str) -> Any:
    """An example, imported anew: what it builds depends on its environment."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Django looks its URLs up by module name
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A new store for the example, and the header of a token that may do everything in it."""
    monkeypatch.setenv("NPROXY_STORAGE", str(tmp_path))
    secret, _ = organization_at(str(tmp_path)).tokens.create("ci", list(Grant), actor=Actor())
    yield {"Authorization": f"Bearer {secret}"}
    for name in [name for name in sys.modules if name.startswith("example_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("example", "application", "prefix"),
    [
        pytest.param("with_gunicorn", "application", "", id="gunicorn"),
        pytest.param("with_flask", "app", "/npm", id="flask"),
        pytest.param("with_django", "application", "/npm", id="django"),
        pytest.param("composed_by_hand", "application", "", id="composed by hand"),
        pytest.param("allow_list", "application", "", id="a component of the host"),
        pytest.param("with_access_log", "application", "", id="with an access log"),
        pytest.param("own_rule", "application", "", id="a rule of the host"),
    ],
)
def test_an_example_publishes_and_serves_a_package(
    headers: dict[str, str], example: str, application: str, prefix: str
) -> None:
    """Each example is a registry, at its root or under /npm."""
    client = Client(getattr(load(example), application))
    document = publish_document("@acme/utils", "1.0.0")
    assert client.put(f"{prefix}/@acme/utils", json=document, headers=headers).status_code == 201
    packument = client.get(f"{prefix}/@acme/utils", headers=headers).json
    assert packument["versions"]["1.0.0"]["dist"]["tarball"].endswith(f"{prefix}/@acme/utils/-/utils-1.0.0.tgz")


@pytest.mark.parametrize(("example", "application"), [("with_flask", "app"), ("with_django", "application")])
def test_a_host_keeps_its_own_pages(headers: dict[str, str], example: str, application: str) -> None:
    """Requests outside /npm are the host's."""
    answer = Client(getattr(load(example), application)).get("/")
    assert b"Our packages are under /npm/" in answer.data


def test_a_layer_of_the_host_outside_knows_what_was_found(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Who asked, for which package, whose it is, and the status, with the id that the client is given."""
    caplog.set_level("INFO", "registry.access")
    client = Client(load("with_access_log").application)
    npm = {"User-Agent": "npm/11.19.1"}
    answers = [
        client.get("/@acme/absent", headers=headers | npm),
        client.get("/lodash", headers=headers | npm),
        client.get("/@acme/absent", headers=npm),
    ]
    lines = [message.partition(" ") for message in messages_of(caplog, "registry.access")]
    assert [line[2] for line in lines] == [
        "ci @acme/absent internal 404 Not Found",
        "ci lodash upstream 404 Not Found",
        "- @acme/absent internal 401 Unauthorized",
    ]
    assert [line[0] for line in lines] == [answer.headers["X-Request-Id"] for answer in answers]


def test_a_layer_of_the_host_stands_between_ours(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-made stack refuses to publish over the holidays, and goes on serving."""
    monkeypatch.setenv("HOLIDAYS", "1")
    client = Client(load("composed_by_hand").application)
    refused = client.put("/@acme/utils", json=publish_document("@acme/utils", "1.0.0"), headers=headers)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert client.get("/@acme/utils", headers=headers).status_code == 404


def test_a_rule_of_the_host_is_a_rule_like_the_others(headers: dict[str, str], tmp_path: Path) -> None:
    """It flags what it should, organizations set its mode, and exceptions cover it."""
    catalog = load("own_rule").catalog
    compiled, prebuilt = Release(version="5.0.0", gypfile=True), Release(version="6.0.0")
    history = History(name="bcrypt", releases=(compiled, prebuilt), tags={"latest": "5.0.0"})
    knowledge = Knowledge(now=datetime(2026, 11, 26, tzinfo=UTC))
    decision = judge(history, catalog.configured(catalog.defaults()), knowledge)
    assert (decision.allowed, decision.tags) == (("6.0.0",), {"latest": "6.0.0"})
    assert decision.blocked["5.0.0"][0].reason == "it compiles native code, and our images have no compiler"
    organization = Organizations.at(str(tmp_path), catalog=catalog).open("default")
    organization.settings.change({"rules": {"native_build": {"mode": "warn"}}}, actor=Actor())
    rules = catalog.configured(organization.settings.get().rules)
    assert judge(history, rules, knowledge).allowed == ("5.0.0", "6.0.0")


def test_a_component_of_the_host_stands_before_the_upstream(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is listed is handed out, whole and in part; what is not is refused, and the upstream does not hear of it."""
    with RecordingUpstream() as upstream:
        data = upstream.publish("react", "1.0.0")
        upstream.publish("lodash", "1.0.0")
        monkeypatch.setenv("NPROXY_UPSTREAM", upstream.url)
        client = Client(load("allow_list").application)
        assert client.get("/react").json["dist-tags"] == {"latest": "1.0.0"}
        assert client.get("/-/package/react/dist-tags").json == {"latest": "1.0.0"}
        assert client.get("/react/-/react-1.0.0.tgz").data == data
        for path in ("/lodash", "/lodash/1.0.0", "/lodash/-/lodash-1.0.0.tgz", "/-/package/lodash/dist-tags"):
            refused = client.get(path)
            assert (refused.status_code, refused.json["code"]) == (403, "not-listed")
        assert upstream.asked("lodash") == []
