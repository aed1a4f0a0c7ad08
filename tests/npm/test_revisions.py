"""A whole packument that comes back with changes: what is refused says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.revisions import missing_versions, parse_revision

MANIFEST = {"name": "@acme/utils", "version": "1.0.0"}
STORED = {
    "_id": "@acme/utils",
    "name": "@acme/utils",
    "dist-tags": {"latest": "1.0.0"},
    "versions": {"1.0.0": MANIFEST},
}


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        pytest.param({}, "unpublish the whole package", id="none left"),
        pytest.param([], "object of manifests", id="a list"),
        pytest.param({"1.0.0": None}, "object of manifests", id="no manifest"),
    ],
)
def test_versions_that_cannot_be_are_refused(versions: Any, sentence: str) -> None:
    """Each with its own sentence."""
    for ask in (parse_revision, missing_versions):
        with pytest.raises(BadRequest, match=sentence):
            ask(STORED, {**STORED, "versions": versions})
