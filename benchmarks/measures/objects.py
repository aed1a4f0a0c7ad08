"""How objects of the corpus are asked for, and whether an answer is right."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib

from benchmarks.corpus.files import Packument, Tarball
from benchmarks.http.messages import Request, Response
from benchmarks.servers.port import Running
from benchmarks.upstream.replies import ABBREVIATED

_ASKED = {
    "full": {"accept": "application/json"},
    "install": {"accept": "application/json", "npm-command": "install"},
    "abbreviated": {"accept": f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*"},
}  # as npm 11 sends them; "install" is what `npm install` asks by


def packument_request(packument: Packument, server: Running, form: str = "full", *, is_packed: bool = True) -> Request:
    """Returns the request that npm sends for a packument."""
    coding = {"accept-encoding": "gzip"} if is_packed else {}
    return Request(packument.target, {**_ASKED[form], **coding, **server.read_headers})


def tarball_request(tarball: Tarball, server: Running) -> Request:
    """Returns the request that npm sends for a tarball."""
    return Request(tarball.path, {"accept": "*/*", **server.read_headers})


def is_packument(response: Response | None, packument: Packument) -> bool:
    """Returns whether *response* is that packument, with all its versions."""
    if response is None or response.status != 200:
        return False
    try:
        document = json.loads(_unpacked(response))
        return document["name"] == packument.name and len(document["versions"]) == packument.versions
    except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error):
        return False


def is_tarball(response: Response | None, tarball: Tarball) -> bool:
    """Returns whether *response* is that tarball, byte for byte."""
    if response is None or response.status != 200:
        return False
    return hashlib.sha1(response.body).hexdigest() == tarball.sha1  # noqa: S324 - the corpus says SHA-1


def _unpacked(response: Response) -> bytes:
    is_packed = response.headers.get("content-encoding") == "gzip"
    return gzip.decompress(response.body) if is_packed else response.body
