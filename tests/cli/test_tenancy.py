"""serve --orgs: how it is said, and what the operator reads."""

from __future__ import annotations

import pytest
from support.client import Client
from support.registry import ACTOR

from nproxy_mw.cli.accounts import administrators_of
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import open_store
from nproxy_mw.cli.tenancy import first_administrator, many_organizations, parse_orgs, platform_at, prepare
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import organization_at


@pytest.mark.parametrize(
    ("text", "expected"),
    [("fixed:acme", FixedOrg("acme")), ("host:registry.example", ByHost("registry.example")), ("path", ByPath())],
)
def test_orgs_is_one_of_three(text, expected):
    """fixed, host and path."""
    assert parse_orgs(text) == expected


@pytest.mark.parametrize(
    "text", ["", "acme", "fixed:", "fixed:Acme", "host:", "host:https://x", "path:", "path:x", "x:y"]
)
def test_other_orgs_are_refused(text):
    """Anything else is said to be wrong before anything is served."""
    with pytest.raises(UsageError, match="--orgs"):
        parse_orgs(text)


@pytest.mark.parametrize("url", ["https://npm.example", "https://registry.example/npm"])
def test_public_url_fits_the_domain(url):
    """Organizations by host have their URLs below one domain, without a path."""
    assert parse_orgs("host:registry.example", "https://registry.example:8443")
    with pytest.raises(UsageError, match="--public-url"):
        parse_orgs("host:registry.example", url)


def test_fixed_organization_is_made_once(tmp_path):
    """The first start makes it, with its scopes; it is new until it has a token."""
    url = str(tmp_path)
    assert prepare(url, FixedOrg("acme"), ["@acme"]) is True
    organization_at(url, "acme").tokens.create("ann", ["proxy"], actor=ACTOR)
    assert prepare(url, FixedOrg("acme"), []) is False
    assert OrganizationDirectory(open_store(url)).exists("acme")
    app = platform_at(url, FixedOrg("acme"), upstream=None, public_url=None)
    assert Client(app).get("/@acme/x").status == 401


def test_scopes_are_of_one_organization(tmp_path):
    """With many, nobody can tell whose a scope is."""
    with pytest.raises(UsageError, match="settings set"):
        prepare(str(tmp_path), ByPath(), ["@acme"])
    assert prepare(str(tmp_path), ByPath(), []) is False


def test_operator_reads_what_to_do_next(tmp_path):
    """How to make the first organization and the first administrator, and not once they are there."""
    url, storage = "http://127.0.0.1:1", open_store(str(tmp_path))
    assert "org create" in many_organizations(url, ByPath(), str(tmp_path), "")
    assert f"admin create NAME --storage {tmp_path}" in first_administrator(url, str(tmp_path))
    OrganizationDirectory(storage).create("acme", actor=ACTOR)
    administrators_of(storage).create("ann", "correct horse battery", actor=ACTOR)
    shown = many_organizations(url, ByHost("registry.example"), str(tmp_path), "")
    assert "acme" in shown
    assert "ID.registry.example" in shown
    assert first_administrator(url, str(tmp_path)) == ""
