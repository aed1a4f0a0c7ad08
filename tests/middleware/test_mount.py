"""Mount: what is under the prefix goes to the registry, all the rest to the host."""

from __future__ import annotations

from wsgiref.validate import validator

import pytest
from support.client import Client
from support.layers import say
from support.registry import RegistryFixture, publish

from nproxy_mw import Mount


def named(name: str):
    def app(environ, start_response):
        place = {"app": name, "script": environ.get("SCRIPT_NAME", ""), "path": environ.get("PATH_INFO", "")}
        return say(environ, start_response, place)

    return validator(app)


MOUNT = Mount(named("host"), "/npm", named("registry"))


@pytest.mark.parametrize(
    ("path", "app", "inner"),
    [
        pytest.param("/npm", "registry", "", id="the prefix"),
        pytest.param("/npm/", "registry", "/", id="its root"),
        pytest.param("/npm/lodash", "registry", "/lodash", id="below"),
        pytest.param("/npm/@acme%2futils", "registry", "/@acme/utils", id="scoped"),
        pytest.param("/npm%2f@acme/utils", "registry", "/@acme/utils", id="its slash encoded"),
        pytest.param("/npm/npm/x", "registry", "/npm/x", id="the prefix twice"),
        pytest.param("/npm//x", "registry", "//x", id="double slash"),
        pytest.param("/", "host", "/", id="the host's root"),
        pytest.param("/npmx", "host", "/npmx", id="a longer word"),
        pytest.param("/NPM/x", "host", "/NPM/x", id="another case"),
        pytest.param("/x/npm/y", "host", "/x/npm/y", id="further down"),
        pytest.param("//npm/x", "host", "//npm/x", id="double slash before"),
    ],
)
def test_prefix_decides(path, app, inner):
    """Whole segments are compared; SCRIPT_NAME takes over what PATH_INFO loses."""
    script = "/npm" if app == "registry" else ""
    assert Client(MOUNT).get(path).json == {"app": app, "script": script, "path": inner}


def test_empty_path_is_the_hosts():
    """PATH_INFO may be empty where SCRIPT_NAME is not."""
    response = Client(MOUNT, environ={"SCRIPT_NAME": "/app"}).get("")
    assert response.json == {"app": "host", "script": "/app", "path": ""}


def test_mounts_nest():
    """A prefix is added to the one that is there."""
    nested = Mount(named("host"), "/tools", MOUNT)
    assert Client(nested, environ={"SCRIPT_NAME": "/app"}).get("/tools/npm/x").json["script"] == "/app/tools/npm"


def test_hosts_environ_is_left_alone():
    """The host sees its own environ, before and after, also for what was mounted."""
    environ = {"SCRIPT_NAME": "", "PATH_INFO": "/npm/x", "REQUEST_METHOD": "GET"}
    before = dict(environ)
    list(Mount(lambda *_: [], "/npm", lambda *_: [])(environ, lambda *_: None))
    assert environ == before


def test_hosts_answer_is_handed_on_itself():
    """The host's own iterable is answered, so the server closes it."""
    body = [b"x"]
    assert Mount(lambda *_: body, "/npm", lambda *_: [])({"PATH_INFO": "/"}, lambda *_: None) is body


@pytest.mark.parametrize("prefix", ["", "/", "npm", "/npm/", "npm/"])
def test_prefix_that_is_none_is_refused_at_start(prefix):
    """A wrong deployment fails when it is built."""
    with pytest.raises(ValueError, match="mount prefix"):
        Mount(named("host"), prefix, named("registry"))


def test_registry_under_a_prefix_is_whole(acme: RegistryFixture):
    """Publish, read and fetch under the prefix; every URL in the answer lies under it."""
    client = Client(Mount(named("host"), "/tools/npm", acme.app), acme.token())
    assert publish(acme.client()).status == 201
    packument = client.get("/tools/npm/@acme%2futils").json
    url = packument["versions"]["1.0.0"]["dist"]["tarball"]
    assert url == "http://registry.example/tools/npm/@acme/utils/-/utils-1.0.0.tgz"
    assert client.get(url.removeprefix("http://registry.example")).status == 200
    assert client.get("/tools/npm/").json == {"registry": "http://registry.example/tools/npm/"}
    assert client.get("/tools/npm").json == {"registry": "http://registry.example/tools/npm/"}


def test_server_that_leaves_the_path_out_is_understood():
    """PEP 3333 lets a server leave an empty PATH_INFO out: that is the host's root."""
    seen = []
    Mount(lambda environ, start: seen.append("host") or [], "/npm", named("registry"))({}, lambda *_: None)
    assert seen == ["host"]
