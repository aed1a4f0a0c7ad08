"""What becomes of a publication: the client's fields, and those that are the registry's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nproxy_mw.errors import Conflict
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.publication import parse_publication
from nproxy_mw.packages.release import release
from nproxy_mw.testing.documents import publish_document

NAME = Name("@acme", "utils")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def publication(version="1.0.0", readme="", **how):
    manifest = {"readme": readme, "readmeFilename": "README.md"} if readme else {}
    return parse_publication(NAME, publish_document("@acme/utils", version, manifest=manifest, **how))


def test_release_names_its_publisher():
    """_npmUser is whoever holds the token, in the manifest and once among the maintainers."""
    first = release(None, publication(), "ann", {}, NOON)
    assert first["versions"]["1.0.0"]["_npmUser"] == {"name": "ann", "email": ""}
    second = release(first, publication("1.1.0"), "ann", {}, NOON)
    third = release(second, publication("1.2.0"), "bob", {}, NOON)
    assert [one["name"] for one in third["maintainers"]] == ["ann", "bob"]
    assert third["versions"]["1.0.0"]["_npmUser"]["name"] == "ann"


def test_signatures_join_dist():
    """Beside the digests, which stay."""
    dist = release(None, publication(), "ann", {"signatures": [{"keyid": "k", "sig": "s"}]}, NOON)["versions"]["1.0.0"]
    assert dist["dist"]["signatures"] == [{"keyid": "k", "sig": "s"}]
    assert dist["dist"]["integrity"].startswith("sha512-")


@pytest.mark.parametrize(
    ("package", "expected"), [({"scripts": {"install": "x"}}, True), ({"scripts": {"test": "x"}}, None)]
)
def test_install_script_is_noted(package, expected):
    """Only when there is one: npm's own documents leave the field out otherwise."""
    manifest = release(None, publication(package_json=package), "ann", {}, NOON)["versions"]["1.0.0"]
    assert manifest.get("hasInstallScript") is expected


def test_readme_of_latest_is_kept_once():
    """The package has the README of its latest version; manifests have none."""
    first = release(None, publication(readme="# one"), "ann", {}, NOON)
    assert (first["readme"], first["readmeFilename"]) == ("# one", "README.md")
    assert "readme" not in first["versions"]["1.0.0"]
    second = release(first, publication("2.0.0-rc.1", readme="# rc", tag="next"), "ann", {}, NOON)
    assert second["readme"] == "# one"
    third = release(second, publication("2.0.0", readme="# two"), "ann", {}, NOON)
    assert third["readme"] == "# two"
    assert release(third, publication("3.0.0"), "ann", {}, NOON)["readme"] == "# two"


def test_existing_version_is_a_conflict():
    """And what was there is as it was."""
    first = release(None, publication(), "ann", {}, NOON)
    with pytest.raises(Conflict):
        release(first, publication(), "bob", {}, NOON)
    assert [one["name"] for one in first["maintainers"]] == ["ann"]
