"""What is wrong in a call that puts a registry together is said there, and not at the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from nproxy_mw import ErrorResponses, Mount, ScopeRouter, organization_at, registry
from nproxy_mw.access import Principal
from nproxy_mw.errors import BadRequest
from nproxy_mw.hosting import Platform, platform
from nproxy_mw.middleware.send_files import SendFiles
from nproxy_mw.middleware.tenants import ByPath, FixedOrg
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.orgs.tokens import StaticTokens
from nproxy_mw.stack import front_page, layers, stack
from nproxy_mw.storage import open_storage

UPSTREAM = "https://upstream.example"
HOW = "x-sendfile"


@pytest.mark.parametrize("scope", ["acme", "@", "@ACME", "@acme/utils", "@a b", ""])
def test_registry_refuses_what_is_no_scope(tmp_path, scope):
    """A wrong deployment fails when it is built."""
    with pytest.raises(BadRequest):
        registry(str(tmp_path), internal_scopes=[scope])


@pytest.mark.parametrize(
    ("build", "cure"),
    [
        pytest.param(lambda url: registry(url, internal_scopes="@acme"), r"\['@acme'\]", id="scopes as text"),
        pytest.param(lambda url: registry(url, tokens={"nproxy_x": Principal("ci")}), "StaticTokens", id="tokens"),
        pytest.param(lambda url: Mount(front_page, registry(url), "/npm"), r'"/npm", registry', id="mount, swapped"),
        pytest.param(lambda url: Mount("/npm", registry(url), front_page), r'"/npm", registry', id="mount, rolled"),
        pytest.param(lambda url: Mount(front_page, "/npm", "registry"), r'"/npm", registry', id="mount of a name"),
        pytest.param(
            lambda url: ScopeRouter(front_page, settings=organization_at(url).settings), "settings.get", id="settings"
        ),
        pytest.param(lambda url: registry(open_storage(url)), "open_organization", id="registry on a storage"),
        pytest.param(lambda url: registry(Path(url)), "as text", id="registry in a Path"),
        pytest.param(lambda url: registry(url, upstream=8080), "Urllib3Transport", id="upstream of another kind"),
        pytest.param(lambda url: registry(url, upstream=UPSTREAM, cache=Path(url)), "as text", id="cache in a Path"),
        pytest.param(
            lambda url: registry(url, upstream=UPSTREAM, allowed_origins="https://x.example"),
            r"\['https://x.example'\]",
            id="origins as text",
        ),
        pytest.param(lambda url: organization_at(open_storage(url)), "as text", id="organization on a storage"),
        pytest.param(lambda url: Organizations.at(Path(url)), "as text", id="organizations in a Path"),
        pytest.param(lambda url: open_storage(Path(url)), "as text", id="storage in a Path"),
        pytest.param(lambda url: layers(None, organization_at(url)), r"layers\(organization", id="layers, swapped"),
        pytest.param(lambda url: layers(url, None), r"layers\(organization", id="layers of a URL"),
        pytest.param(lambda url: layers(organization_at(url), UPSTREAM), "Urllib3Transport", id="layers over a URL"),
        pytest.param(lambda url: stack(layers(organization_at(url), None), on=front_page), r"\*layers", id="no star"),
        pytest.param(lambda url: stack(ErrorResponses, on=None), "on=app", id="stack on nothing"),
        pytest.param(lambda url: SendFiles(url, how=HOW, folders=[url]), "list of folders", id="sends for a text"),
        pytest.param(lambda url: SendFiles(front_page, how=HOW, folders=url), "list of folders", id="folders as text"),
        pytest.param(lambda url: platform(Path(url), resolve=ByPath()), "as text", id="platform in a Path"),
        pytest.param(lambda url: platform(url, resolve="acme"), r"FixedOrg\('acme'\)", id="resolve as text"),
        pytest.param(lambda url: platform(url, resolve=ByPath), r"ByPath\(\)", id="resolve as a class"),
        pytest.param(lambda url: platform(url, resolve=ByPath(), users={}), "users= is called", id="users"),
        pytest.param(
            lambda url: platform(url, resolve=ByPath(), tokens=StaticTokens({})), "tokens= is", id="one's tokens"
        ),
        pytest.param(lambda url: Platform(url, resolve=ByPath()), "Organizations.at", id="platform of a URL"),
    ],
)
def test_wrong_composition_fails_when_it_is_built(tmp_path, build, cure):
    """Not at the first request, and with the right spelling in the sentence."""
    with pytest.raises(TypeError, match=cure):
        build(str(tmp_path / "store"))


def test_wrong_scopes_leave_no_store_behind(tmp_path):
    """What is wrong in the call is said before anything is made."""
    with pytest.raises(TypeError):
        registry(str(tmp_path / "store"), internal_scopes="@acme")
    with pytest.raises(TypeError):
        platform(str(tmp_path / "store"), resolve=FixedOrg("acme"), users={})
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"storage": "gopher://x"}, id="unknown kind of storage"),
        pytest.param({"storage": ""}, id="no storage"),
        pytest.param({"upstream": "upstream.example"}, id="upstream without a scheme"),
        pytest.param({"upstream": "ftp://upstream.example"}, id="upstream of another scheme"),
    ],
)
def test_registry_refuses_wrong_places(tmp_path, arguments):
    """So does one whose storage or upstream is no place."""
    with pytest.raises(ValueError, match=r"\.$"):
        registry(**{"storage": str(tmp_path), **arguments})
