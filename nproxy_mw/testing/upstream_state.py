"""What a stand-in upstream knows and replies: values in, values out, no sockets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import unquote, urlsplit

from nproxy_mw.testing.documents import tarball

ABBREVIATED = "application/vnd.npm.install-v1+json"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived: the raw path with its query, headers by lower-case name, the raw body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. *cut* ends the connection after that many bytes of *body*; *wait* is waited for before it is sent.

    *reset* ends the connection in the place of a response.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes
    wait: Event | None = None
    reset: bool = False


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """Returns a reply with JSON; underscores in header names stand for dashes."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": JSON, **named})


class UpstreamState:
    """Packages, keys and advisories, and the rules of a registry that is as rich or as poor as a test wants it."""

    def __init__(self, *, is_poor: bool, token: str) -> None:
        self.is_poor = is_poor
        self.token = token
        self.packuments: dict[str, dict[str, Any]] = {}
        self.tarballs: dict[str, bytes] = {}  # by path
        self.attestations: dict[str, dict[str, Any]] = {}  # by name@version
        self.advisories: dict[str, list[dict[str, Any]]] = {}  # by name
        self.keys: list[dict[str, Any]] = []

    def publish(
        self,
        base_url: str,
        name: str,
        version: str,
        package_json: Mapping[str, Any],
        files: Mapping[str, bytes | str] | None,
        tag: str,
    ) -> bytes:
        """Adds a version with a real tarball, and returns its bytes."""
        package = {"name": name, "version": version, **package_json}
        data = tarball({key: value for key, value in package.items() if not key.startswith("_")}, files)
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        dist = {
            "tarball": f"{base_url}{path}",
            "integrity": f"sha512-{digest}",
            "shasum": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        }
        self.tarballs[path] = data
        packument = self.packuments.setdefault(name, {"name": name, "dist-tags": {}, "versions": {}})
        packument["versions"][version] = {"dist": dist, **package}
        packument["dist-tags"][tag] = version
        if not self.is_poor:
            serial = len(packument["versions"])
            stamp = f"2020-01-{min(serial, 28):02}T00:00:00.000Z"
            packument.update(_id=name, _rev=f"{serial}-{digest[:8]}")
            packument["time"] = {"created": stamp, **packument.get("time", {}), "modified": stamp, version: stamp}
        return data

    def reply(self, request: Recorded) -> Reply:
        """Returns the reply of the registry."""
        path = unquote(urlsplit(request.path).path)
        if request.method in ("PUT", "DELETE"):
            return self._write(request, path)
        if request.method == "POST":
            return self._audit(request, path)
        if path in self.tarballs:
            return self._tarball(request, self.tarballs[path])
        return self._document(request, path)

    def _document(self, request: Recorded, path: str) -> Reply:
        tags = re.fullmatch(r"/-/package/(.+)/dist-tags", path)
        attested = path.removeprefix("/-/npm/v1/attestations/")
        if path[1:] in self.packuments:
            return self._packument(request, self.packuments[path[1:]])
        if not self.is_poor and tags and tags[1] in self.packuments:
            return json_reply(self.packuments[tags[1]]["dist-tags"])
        if path == "/-/npm/v1/keys" and self.keys:
            return json_reply({"keys": self.keys})
        if attested in self.attestations:
            return json_reply(self.attestations[attested])
        return json_reply({"error": "not_found"}, 404)

    def _packument(self, request: Recorded, packument: Mapping[str, Any]) -> Reply:
        if self.is_poor:
            return json_reply(packument)
        if ABBREVIATED in request.headers.get("accept", ""):
            packument = {key: packument[key] for key in ("name", "dist-tags", "versions")}
        etag = f'"{hashlib.sha256(json.dumps(packument).encode()).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(304, headers={"ETag": etag})
        return json_reply(packument, ETag=etag)

    def _tarball(self, request: Recorded, data: bytes) -> Reply:
        headers = {"Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if self.is_poor:
            return Reply(200, data, headers)
        headers.update({"ETag": '"tarball"', "Accept-Ranges": "bytes"})
        if not asked:
            return Reply(200, data, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return Reply(416, headers={"Content-Range": f"bytes */{len(data)}"})
        return Reply(206, data[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def _write(self, request: Recorded, path: str) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return json_reply({"error": "You must be logged in to publish packages."}, 401, WWW_Authenticate="Bearer")
        tag = re.fullmatch(r"/-/package/(.+)/dist-tags/([^/]+)", path)
        name = tag[1] if tag else re.split(r"/-(?:rev)?/", path)[0][1:]
        known = self.packuments.get(name, {"name": name, "dist-tags": {}, "versions": {}})
        if tag and request.method == "PUT":
            known["dist-tags"][tag[2]] = json.loads(request.body)
        elif tag:
            known["dist-tags"].pop(tag[2], None)
        elif request.method == "PUT":
            return self._put(json.loads(request.body), known, path)
        elif "/-/" not in path:
            self.packuments.pop(name, None)
        return json_reply({"ok": True})

    def _put(self, document: dict[str, Any], known: dict[str, Any], path: str) -> Reply:
        """A publish adds to what is known; a document without attachments is a packument that was changed."""
        attachments = document.get("_attachments", {})
        if set(document.get("versions", {})) & set(known["versions"]) and attachments:
            return json_reply({"error": "You cannot publish over the previously published versions."}, 403)
        known["versions"].update(document.get("versions", {}))
        known["dist-tags"].update(document.get("dist-tags", {}))
        known["_rev"] = f"{len(known['versions'])}-0"
        self.packuments[known["name"]] = known
        for filename, attachment in attachments.items():
            self.tarballs[f"{path}/-/{filename.rpartition('/')[2]}"] = base64.b64decode(attachment["data"])
        return json_reply({"ok": True, "id": known["name"], "rev": known["_rev"]}, 201)

    def _audit(self, request: Recorded, path: str) -> Reply:
        if self.is_poor:
            return json_reply({"error": "method not allowed"}, 405)
        asked = json.loads(request.body)
        if path.endswith("/advisories/bulk"):
            return json_reply({name: found for name, found in self.advisories.items() if name in asked})
        named = [advisory for name in asked.get("dependencies", {}) for advisory in self.advisories.get(name, [])]
        advisories = {str(advisory.get("id")): advisory for advisory in named}
        return json_reply({"actions": [], "advisories": advisories, "muted": [], "metadata": {}})
