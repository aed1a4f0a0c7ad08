"""Documents that publish small packages, and whether what was accepted is there."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from benchmarks.corpus.archives import archive
from benchmarks.corpus.documents import tarball_path
from benchmarks.http.messages import Request, Response
from benchmarks.servers.port import Running

SIZE = 1_500
"""Bytes of each tarball."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One version to be published."""

    name: str
    version: str

    @property
    def tarball(self) -> bytes:
        """Its tarball; always the same."""
        return archive(self.name, self.version, SIZE, {})

    def request(self, server: Running) -> Request:
        """Returns the request that ``npm publish`` sends."""
        headers = {"content-type": "application/json", "accept": "*/*", "npm-command": "publish"}
        body = json.dumps(self._document(server.url)).encode()
        return Request(self._target, {**headers, **server.write_headers}, "PUT", body)

    @property
    def _target(self) -> str:
        return "/" + self.name.replace("/", "%2f")

    def _document(self, url: str) -> dict[str, object]:
        data = self.tarball
        file = f"{self.name}-{self.version}.tgz"
        integrity = base64.b64encode(hashlib.sha512(data).digest()).decode()
        manifest = {
            "_id": f"{self.name}@{self.version}",
            "name": self.name,
            "version": self.version,
            "main": "index.js",
            "dependencies": {},
            "readme": "# Benchmark\n",
            "dist": {
                "integrity": f"sha512-{integrity}",
                "shasum": hashlib.sha1(data).hexdigest(),  # noqa: S324 - npm's own field
                "tarball": f"{url}/{self.name}/-/{file}",
            },
        }
        attachment = {
            "content_type": "application/octet-stream",
            "data": base64.b64encode(data).decode(),
            "length": len(data),
        }
        return {
            "_id": self.name,
            "name": self.name,
            "dist-tags": {"latest": self.version},
            "versions": {self.version: manifest},
            "access": None,
            "_attachments": {file: attachment},
        }

    def packument_request(self, server: Running) -> Request:
        """Returns the request for the packument that should name it."""
        return Request(self._target, {"accept": "application/json", **server.read_headers})

    def tarball_request(self, server: Running) -> Request:
        """Returns the request for its tarball."""
        return Request(tarball_path(self.name, self.version), dict(server.read_headers))

    def is_in(self, packument: Response | None, tarball: Response | None) -> bool:
        """Returns whether the packument names the version, and the tarball has its bytes."""
        if packument is None or tarball is None or (packument.status, tarball.status) != (200, 200):
            return False
        try:
            return self.version in json.loads(packument.body)["versions"] and tarball.body == self.tarball
        except (ValueError, KeyError, TypeError):
            return False


def is_accepted(response: Response | None) -> bool:
    """Returns whether a publish was answered 2xx."""
    return response is not None and 200 <= response.status < 300
