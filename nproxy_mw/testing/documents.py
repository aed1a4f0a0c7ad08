"""Publish documents and tarballs as npm makes them, built in memory for tests."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

__all__ = ["publish_document", "tarball"]


def tarball(package_json: Mapping[str, Any], files: Mapping[str, bytes | str] | None = None) -> bytes:
    """Returns a package's tarball. *files* are named relative to the package: ``{"index.js": "..."}``.

    The same arguments give the same bytes.
    """
    contents = {"package.json": json.dumps(package_json, indent=2) + "\n", **(files or {})}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(archive.getvalue(), mtime=0)


def publish_document(
    name: str,
    version: str,
    *,
    package_json: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes | str] | None = None,
    manifest: Mapping[str, Any] | None = None,
    tag: str = "latest",
) -> dict[str, Any]:
    """Returns the document that ``npm publish`` sends, as JSON values.

    *package_json* is added to the name and version in the tarball. *manifest* overrides the version's manifest in the
    document, so that a test can send a document that contradicts its tarball. *files* are those next to
    ``package.json``.
    """
    package = {"name": name, "version": version, **(package_json or {})}
    data = tarball(package, files)
    filename = f"{name}-{version}.tgz"
    dist = {
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode(),
        "shasum": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "tarball": f"http://registry.example/{name}/-/{filename}",
    }
    attachment = {
        "content_type": "application/octet-stream",
        "data": base64.b64encode(data).decode(),
        "length": len(data),
    }
    described = {**package, "_id": f"{name}@{version}", "dist": dist, **(manifest or {})}
    return {
        "_id": name,
        "name": name,
        "dist-tags": {tag: version},
        "versions": {version: described},
        "access": None,
        "_attachments": {filename: attachment},
    }
