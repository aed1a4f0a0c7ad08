"""The list of packages in the management API: its orders, its pages, and what it is filtered by."""

from __future__ import annotations

import pytest
from support.publications import ACTOR

from nproxy_mw.npm.names import parse_name
from nproxy_mw.testing.documents import publish_document as document

PACKAGES = "/api/v1/orgs/acme/packages"


@pytest.fixture
def shelf(tenants):
    """A manager of an organization with three packages, the first of which was changed last."""
    tenants.scopes("acme", "@acme")
    client = tenants.client("acme")
    for name in ("@acme/one", "@acme/three", "@acme/two"):
        assert client.put(f"/acme/{name.replace('/', '%2f')}", document(name, "1.0.0")).status == 201
    packages = tenants.platform.organization("acme").packages
    one = parse_name("@acme/one")
    for message in ("use three", "use two"):  # a second change is a millisecond later than the first, at least
        packages.deprecate(one, {"1.0.0": message}, packages.read(one)[0]["_rev"], ACTOR)
    return tenants.manager()


def names(answer):
    return [package["name"] for package in answer.json["packages"]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("name", ["@acme/one", "@acme/three", "@acme/two"]), ("updated", ["@acme/one", "@acme/two", "@acme/three"])],
)
def test_pages_in_both_orders(shelf, sort, expected):
    """The cursor of a page leads to the next one; the last has none."""
    found, cursor = [], ""
    while cursor is not None:
        after = f"&after={cursor.replace(':', '%3A')}" if cursor else ""
        page = shelf.get(PACKAGES, query=f"limit=2&sort={sort}{after}")
        assert page.json["total"] == 3
        found += names(page)
        cursor = page.json["next"]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("T", ["@acme/three", "@acme/two"]), ("acme/o", ["@acme/one"]), ("%25", []), ("", None)],
)
def test_list_is_filtered(shelf, text, expected):
    """By a text in the name, in any case; total counts what fits."""
    page = shelf.get(PACKAGES, query=f"text={text}")
    if expected is not None:
        assert (names(page), page.json["total"]) == (expected, len(expected))
    else:
        assert page.json["total"] == 3


def test_package_is_shown_in_short(shelf):
    """What a list of packages shows, deprecation included."""
    first, second, _ = shelf.get(PACKAGES).json["packages"]
    assert first["deprecated"] == "use two"
    assert second["deprecated"] is None
    assert (first["latest"], first["versionCount"]) == ("1.0.0", 1)
    assert shelf.get(f"{PACKAGES}/@acme/one").json["deprecated"] == "use two"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("sort=size", "sort", id="no order"),
        pytest.param(f"text={'x' * 215}", "text", id="longer than a name"),
        pytest.param("after=..", "after", id="no name"),
        pytest.param("after=yesterday,@acme/one", "after", id="no time"),
        pytest.param("after=2027-01-01T00:00:00.000Z,", "after", id="a time alone"),
    ],
)
def test_bad_query_is_told_field_by_field(shelf, query, field):
    """400, and which parameter it is."""
    answer = shelf.get(PACKAGES, query=query)
    assert (answer.status, set(answer.json["fields"])) == (400, {field})


def test_cursor_of_the_other_order_is_no_error(shelf):
    """It names a package all the same."""
    assert names(shelf.get(PACKAGES, query="after=2027-01-01T00:00:00.000Z,@acme/one")) == ["@acme/three", "@acme/two"]
    assert names(shelf.get(PACKAGES, query="sort=updated&after=@acme/one")) == []
