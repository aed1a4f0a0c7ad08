"""Two hosts on one bucket: each has an index of its own, and both follow what the other publishes."""

from __future__ import annotations

import secrets

import pytest
from support.publications import publish
from support.search import SetClock

from nproxy_mw.npm.search import parse_query
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.packages.search import index
from nproxy_mw.packages.search.schema import SCHEMA
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks

pytestmark = pytest.mark.e2e


def found(organization, text=""):
    results = organization.search_index.search(parse_query(text), first=0, size=250)
    return [one["name"] for one in results.summaries]


def test_hosts_follow_each_other(s3_url, tmp_path, monkeypatch):
    """A change of the other host is found within the bound, also where answers "unchanged" are taken from memory."""
    url, clock = f"{s3_url}/{secrets.token_hex(4)}", SetClock()
    one, other = (
        Organizations(open_storage(url, freshness=60.0), ThreadLocks(), search_folder=tmp_path / name).open("acme")
        for name in ("one", "two")
    )
    monkeypatch.setattr(other.search_index, "clock", clock)
    monkeypatch.setattr(other.search_index._refresh, "clock", clock)
    clock.now = other.trail.clock()
    for number in range(3):
        publish(one, f"@acme/p{number}", "1.0.0", package_json={"description": "first"})
    assert found(one) == found(other, "first") == ["@acme/p0", "@acme/p1", "@acme/p2"]
    publish(one, "@acme/p1", "1.0.1", package_json={"description": "second"})
    assert found(one, "second") == ["@acme/p1"]
    clock.pass_by(index.LATE + 0.1)
    assert (found(other, "first"), found(other, "second")) == (["@acme/p0", "@acme/p2"], ["@acme/p1"])


def test_index_is_in_the_folder_for_caches(s3_url, tmp_path, monkeypatch):
    """One folder for each bucket and prefix, which the next process finds again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    urls = [f"{s3_url}/{secrets.token_hex(4)}" for _ in range(2)]
    for url in (*urls, *urls):
        organization = Organizations.at(url).open("acme")
        assert found(organization) == []
    assert len(list(tmp_path.glob(f"nproxy-mw/*/search/acme.v{SCHEMA.version}.sqlite3"))) == 2
