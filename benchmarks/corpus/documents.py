"""Packuments of a wanted size, and their abbreviated form. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_FIRST = datetime(2019, 1, 1, tzinfo=UTC)
_MANIFEST = 2_000  # bytes that a version adds, about; as in the recorded tree
_KEPT = frozenset(
    {
        "name",
        "version",
        "deprecated",
        "dependencies",
        "optionalDependencies",
        "devDependencies",
        "bundleDependencies",
        "bundledDependencies",
        "peerDependencies",
        "peerDependenciesMeta",
        "bin",
        "directories",
        "dist",
        "engines",
        "os",
        "cpu",
        "libc",
        "funding",
        "hasInstallScript",
        "_hasShrinkwrap",
        "acceptDependencies",
    }
)
_SENTENCE = "This package was made for a benchmark, and does nothing that anybody needs. "
_TOOLS = {f"tool-{number}": f"^{number}.4.2" for number in range(12)}
_SCRIPTS = {
    "test": "tap --coverage && tap report --min-coverage=100",
    "lint": "eslint --max-warnings=0 . && tsc --noEmit --project tsconfig.json",
    "build": "rollup --config rollup.config.mjs --environment production",
    "prepack": "npm run lint && npm run build",
    "release": "changelog --write CHANGELOG.md && git commit --all && git tag --sign",
}


def versions_of(size: int) -> list[str]:
    """Returns the versions, oldest first, that a packument of *size* bytes has."""
    return [f"1.{number // 50}.{number % 50}" for number in range(max(1, (size - 400) // _MANIFEST))]


def packument(name: str, size: int, origin: str, dependencies: Mapping[str, str], tarball: bytes) -> bytes:
    """Returns the full form, of *size* bytes if it can be reached; *tarball* belongs to the newest version."""
    versions = versions_of(size)
    dists = {version: _invented_dist(name, version, origin) for version in versions}
    dists[versions[-1]] = _dist(name, versions[-1], origin, hashlib.sha1(tarball), hashlib.sha512(tarball))  # noqa: S324
    document = {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": versions[-1]},
        "versions": {version: _manifest(name, version, dependencies, dists[version]) for version in versions},
        "time": _times(versions),
        "maintainers": [{"name": "benchmark", "email": "benchmark@upstream.example"}],
        "readme": "",
    }
    packed = json.dumps(document, separators=(",", ":")).encode()
    missing = max(0, size - len(packed))
    readme = (_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing]
    return packed.replace(b'"readme":""', f'"readme":"{readme}"'.encode())


def abbreviated(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the form that is served as ``application/vnd.npm.install-v1+json``.

    https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md names its fields.
    """
    time = document.get("time")
    modified = {"modified": time["modified"]} if isinstance(time, dict) and "modified" in time else {}
    versions = {version: _abbreviated(manifest) for version, manifest in document["versions"].items()}
    return {"name": document["name"], "dist-tags": document.get("dist-tags", {}), "versions": versions, **modified}


def tarball_path(name: str, version: str) -> str:
    """Returns the path of a tarball below the registry."""
    return f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def _abbreviated(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in manifest.items() if key in _KEPT}
    scripts = manifest.get("scripts")
    if isinstance(scripts, dict) and scripts.keys() & {"preinstall", "install", "postinstall"}:
        kept["hasInstallScript"] = True
    return kept


def _times(versions: list[str]) -> dict[str, str]:
    moments = [(_FIRST + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z") for number in range(len(versions))]
    return {"created": moments[0], "modified": moments[-1], **dict(zip(versions, moments, strict=True))}


def _invented_dist(name: str, version: str, origin: str) -> dict[str, Any]:
    """Returns the digests of a tarball that nobody asks for: as random as real ones, which decides how gzip does."""
    seed = f"{name}@{version}".encode()
    return _dist(name, version, origin, hashlib.sha1(seed), hashlib.sha512(seed))  # noqa: S324


def _dist(name: str, version: str, origin: str, sha1: Any, sha512: Any) -> dict[str, Any]:
    return {
        "integrity": "sha512-" + base64.b64encode(sha512.digest()).decode(),
        "shasum": sha1.hexdigest(),
        "tarball": origin + tarball_path(name, version),
        "fileCount": 12,
        "unpackedSize": 40_960,
    }


def _manifest(name: str, version: str, dependencies: Mapping[str, str], dist: Mapping[str, Any]) -> dict[str, Any]:
    person = {"name": "benchmark", "email": "benchmark@upstream.example"}
    return {
        "_id": f"{name}@{version}",
        "name": name,
        "version": version,
        "description": _SENTENCE.strip(),
        "keywords": ["benchmark", "synthetic", "package"],
        "license": "MIT",
        "author": person,
        "maintainers": [person],
        "homepage": f"https://code.example/{name}#readme",
        "repository": {"type": "git", "url": f"git+https://code.example/{name}.git"},
        "bugs": {"url": f"https://code.example/{name}/issues"},
        "main": "index.js",
        "engines": {"node": ">=18"},
        "scripts": _SCRIPTS,
        "files": ["index.js", "index.d.ts", "lib/", "dist/", "LICENSE", "README.md"],
        "tap": {"coverage-map": "map.js", "nyc-arg": ["--exclude", "test/**", "--exclude", "tap-snapshots/**"]},
        "dependencies": dict(dependencies),
        "devDependencies": _TOOLS,
        "gitHead": dist["shasum"][::-1],
        "dist": dict(dist),
        "directories": {},
        "_nodeVersion": "22.11.0",
        "_npmVersion": "10.9.0",
        "_npmUser": person,
        "_hasShrinkwrap": False,
    }
