"""Whether a published version is what was published: its bytes, its manifest, and both signatures. Pure.

The signatures cover name, version and integrity; the integrity covers the bytes; and the bytes hold the
``package.json`` that the manifest must agree with. So whoever alters one of them has to forge a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nproxy_mw import signing
from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.digests import check_claims, digests
from nproxy_mw.npm.manifests import check_same
from nproxy_mw.npm.packuments import Json
from nproxy_mw.npm.tarballs import inspect


def problems(packument: Json, version: str, tarball: bytes, keys: Sequence[Json]) -> Iterator[str]:
    """Everything that is wrong with one version, as sentences; nothing when all is well.

    *packument* is the full one; *keys* are public keys as ``/-/npm/v1/keys`` lists them.
    """
    manifest = packument["versions"][version]
    dist = manifest.get("dist", {})
    yield from _problems_of_bytes(manifest, dist, tarball)
    by_id = {str(key.get("keyid")): key for key in keys}
    published = str(packument.get("time", {}).get(version, ""))
    signed = signing.message(str(packument["name"]), version, str(dist.get("integrity")))
    npms, ours = dist.get("signatures"), dist.get("nproxy", {}).get("signatures")
    for kind, entries in ((signing.P256, npms), (signing.ED25519, ours)):
        if not entries:
            yield f"It has no {kind} signature."
        for entry in entries or ():
            yield from _problems_of_signature(entry, kind, by_id, signed, published)


def _problems_of_bytes(manifest: Json, dist: Json, tarball: bytes) -> Iterator[str]:
    try:
        check_claims(dist, digests(tarball))
    except BadRequest:
        yield "Its tarball is not the one that was published: the bytes do not match dist.integrity."
        return
    try:
        check_same(manifest, inspect(tarball).package_json)
    except BadRequest:
        yield "Its manifest is not the one that was published: it differs from the package.json in the tarball."


def _problems_of_signature(
    entry: Json, kind: str, keys: Mapping[str, Json], signed: bytes, published: str
) -> Iterator[str]:
    key = keys.get(str(entry.get("keyid")))
    if key is None or key.get("keytype") != kind:
        yield f"Its {kind} signature is by a key that is not listed."
    elif not signing.verify(key, signed, str(entry.get("sig"))):
        yield f"Its {kind} signature does not fit."
    elif key.get("expires") and published >= key["expires"]:
        yield f"Its {kind} signature is by a key that had expired when it was published."
