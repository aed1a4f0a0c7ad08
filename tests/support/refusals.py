"""Documents to spoil, and what holds for every refusal."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json

from nproxy_mw.testing.documents import publish_document
from support.registry import snapshot

UTILS = "/@acme%2futils"
PACKAGE = {"name": "@acme/utils", "version": "2.0.0"}


def refused(kept, method, path, statuses, *, body=b"", client=None, **how):
    """Asks, and holds that the answer is a refusal, nobody was asked upstream and not a byte was written."""
    acme, owner, folder = kept
    before = snapshot(folder)
    response = (client or owner).ask(method, path, body=body, **how)
    assert response.status in statuses, response.body[:300]
    assert snapshot(folder) == before
    assert acme.upstream.asked == []
    return response


def document(**change):
    return {**publish_document("@acme/utils", "2.0.0"), **change}


def with_manifest(**lies):
    return publish_document("@acme/utils", "2.0.0", manifest=lies)


def with_dist(**claims):
    true = document()["versions"]["2.0.0"]["dist"]
    return with_manifest(dist={**true, **claims})


def with_tarball(data: bytes, **attachment):
    """A document whose tarball is *data*, with true digests."""
    whole = document()
    dist = whole["versions"]["2.0.0"]["dist"]
    dist["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    dist["shasum"] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    given = {"data": base64.b64encode(data).decode(), "length": len(data), **attachment}
    whole["_attachments"] = {"@acme/utils-2.0.0.tgz": given}
    return whole


def attached(*names, **more):
    tarball = document()["_attachments"]["@acme/utils-2.0.0.tgz"]
    return document(_attachments={**dict.fromkeys(names, tarball), **more})


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


RAW = json.dumps(document()).encode()
