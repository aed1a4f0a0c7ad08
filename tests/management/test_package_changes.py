"""Tags, deprecations and unpublishing by the management API."""

from __future__ import annotations

from typing import Any

import pytest
from support.hosting import PlatformFixture
from support.publications import publish

PATH = "/api/v1/orgs/acme/packages/@acme%2futils"


@pytest.fixture
def filled(tenants: PlatformFixture) -> PlatformFixture:
    """A package with two versions."""
    for version in ("1.0.0", "1.1.0"):
        publish(tenants.platform.organization("acme"), "@acme/utils", version)
    return tenants


def shown(filled: PlatformFixture) -> Any:
    return filled.manager().get(PATH).json


def test_a_tag_is_set_and_removed(filled: PlatformFixture) -> None:
    """204 each; the trail has who did it."""
    manager = filled.manager()
    assert manager.put(f"{PATH}/tags/next", {"version": "1.0.0"}).status == 204
    assert shown(filled)["distTags"] == {"latest": "1.1.0", "next": "1.0.0"}
    assert manager.delete(f"{PATH}/tags/next").status == 204
    assert shown(filled)["distTags"] == {"latest": "1.1.0"}
    newest = manager.get("/api/v1/orgs/acme/audit", query="package=@acme/utils").json["events"][0]
    assert (newest["event"], newest["by"]) == ("package.untagged", "ann")


def test_a_version_is_deprecated_and_no_longer(filled: PlatformFixture) -> None:
    """One version, or all without one; an empty message removes it."""
    manager = filled.manager()
    assert manager.put(f"{PATH}/deprecation", {"message": "old", "version": "1.0.0"}).status == 204
    assert [one["deprecated"] for one in shown(filled)["versions"]] == ["old", None]
    assert manager.put(f"{PATH}/deprecation", {"message": "gone"}).status == 204
    assert [one["deprecated"] for one in shown(filled)["versions"]] == ["gone", "gone"]
    assert manager.put(f"{PATH}/deprecation", {"message": ""}).status == 204
    assert [one["deprecated"] for one in shown(filled)["versions"]] == [None, None]


def test_a_version_is_unpublished_where_that_is_allowed(filled: PlatformFixture) -> None:
    """405 until the setting allows it; then the number is never given again."""
    manager = filled.manager()
    assert manager.delete(f"{PATH}/versions/1.0.0").code == "version-unpublish-not-allowed"
    assert manager.put("/api/v1/orgs/acme/settings", {"versionUnpublish": True}).status == 200
    assert manager.delete(f"{PATH}/versions/1.0.0").status == 204
    assert [one["version"] for one in shown(filled)["versions"]] == ["1.1.0"]


def test_a_version_that_cannot_be_unpublished_is_refused(filled: PlatformFixture) -> None:
    """One that is not there is not made unavailable, and the only one goes with its package alone."""
    manager = filled.manager()
    assert manager.put("/api/v1/orgs/acme/settings", {"versionUnpublish": True}).status == 200
    assert manager.delete(f"{PATH}/versions/9.9.9").code == "version-not-found"
    publish(filled.platform.organization("acme"), "@acme/utils", "9.9.9")
    for version in ("1.0.0", "1.1.0"):
        assert manager.delete(f"{PATH}/versions/{version}").status == 204
    assert manager.delete(f"{PATH}/versions/9.9.9").code == "only-version"
    assert [one["version"] for one in shown(filled)["versions"]] == ["9.9.9"]


def test_a_package_is_unpublished(filled: PlatformFixture) -> None:
    """404 from then on, for this call as well."""
    manager = filled.manager()
    assert manager.delete(PATH).status == 204
    assert manager.get(PATH).status == manager.delete(PATH).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("PUT", "tags/next", {"version": "9.9.9"}, 404, id="tag of no version"),
        pytest.param("PUT", "tags/1.x", {"version": "1.0.0"}, 400, id="tag like a range"),
        pytest.param("PUT", "tags/next", {"version": 1}, 400, id="no text"),
        pytest.param("PUT", "tags/next", {}, 400, id="no version"),
        pytest.param("DELETE", "tags/absent", None, 404, id="absent tag"),
        pytest.param("PUT", "deprecation", {"message": "x" * 501}, 400, id="long message"),
        pytest.param("PUT", "deprecation", {"message": "x", "version": "9.9.9"}, 400, id="deprecation of no version"),
        pytest.param("PUT", "deprecation", {"message": "x", "more": 1}, 400, id="unknown field"),
    ],
)
def test_what_cannot_be_is_refused(filled: PlatformFixture, method: str, path: str, body: Any, status: int) -> None:
    """With a sentence, and nothing is changed."""
    before = shown(filled)
    assert filled.manager().ask(method, f"{PATH}/{path}", json=body).status == status
    assert shown(filled) == before
