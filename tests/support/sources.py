"""Sources of packages for a test: one that is scripted and counts, and documents to give it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.testing.documents import tarball


def integrity_of(data: bytes) -> str:
    """The integrity of *data* as a manifest gives it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def packument_of(name: str, versions: Mapping[str, Mapping[str, Any]], **members: Any) -> dict[str, Any]:
    """A packument; each version's manifest gets what it lacks."""
    return {
        "name": name,
        "dist-tags": {"latest": list(versions)[-1]} if versions else {},
        "versions": {
            version: {"name": name, "version": version, "dist": {}, **manifest}
            for version, manifest in versions.items()
        },
        **members,
    }


class ScriptedSource:
    """A source with the given packuments and tarballs; *fail*, when set, is raised by every call.

    *noted* is called with the name of each packument that is asked for, once the answer is made.
    """

    def __init__(self) -> None:
        self.packuments: dict[str, dict[str, Any]] = {}
        self.tarballs: dict[str, bytes] = {}
        self.fail: Exception | None = None
        self.asked: Counter[str] = Counter()
        self.noted: Callable[[str], None] = lambda name: None
        self.chunks: Callable[[bytes], Any] = lambda data: iter([data])

    def publish(self, name: str, version: str, *, data: bytes | None = None, **manifest: Any) -> bytes:
        """Adds a version with a tarball, and returns the tarball."""
        data = tarball({"name": name, "version": version}) if data is None else data
        base = name.rpartition("/")[2]
        self.tarballs[f"{base}-{version}.tgz"] = data
        manifest = {"dist": {"integrity": integrity_of(data)}, **manifest}
        versions = {**self.packuments.get(name, {}).get("versions", {}), version: manifest}
        times = self.packuments.get(name, {}).get("time")
        self.packuments[name] = packument_of(name, versions, **({"time": times} if times else {}))
        return data

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        self._note("packument", str(name))
        if str(name) not in self.packuments:
            raise NotFound("There is no such package.")
        raw = json.dumps(self.packuments[str(name)]).encode()
        self.noted(str(name))
        revision = hashlib.sha256(raw).hexdigest()
        return None if revision == unless else Document(raw, revision, name=str(name))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        self._note("dist_tags", str(name))
        tags: Mapping[str, str] = self.packuments[str(name)]["dist-tags"]
        return tags

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        self._note("tarball", filename)
        if filename not in self.tarballs:
            raise NotFound("There is no such tarball.")
        data = self.tarballs[filename]
        return Blob(self.chunks(data), size=len(data))

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        self._note("document", route.kind.name)
        return None if unless == "1" else Document(b'{"keys":[]}', "1")

    def _note(self, verb: str, what: str) -> None:
        self.asked[f"{verb} {what}"] += 1
        if self.fail is not None:
            raise self.fail
