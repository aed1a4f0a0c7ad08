"""Manifest confusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.tarballs import Contents


def check_same(manifest: Mapping[str, Any], contents: Contents) -> None:
    """Checks that a manifest says what the tarball says.

    Raises:
        BadRequest: it does not.
    """
    if contents.package_json.get("name") != manifest["name"]:
        raise BadRequest(
            "The manifest and the package.json in the tarball differ in their name.", code="manifest-confusion"
        )


def install_script(contents: Contents) -> bool:
    """Whether an install runs something."""
    return contents.has_gyp
