"""Whether a published version is what was published: its bytes, its manifest, and both signatures. Pure.

The signatures cover name, version and integrity; the integrity covers the bytes; and the bytes hold the
``package.json`` that the manifest must agree with. So whoever alters one of them has to forge a key. What a manifest
says beyond that file, or says otherwise by right, is covered by nothing: docs/signing.md lists it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nproxy_mw import signing
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import Json
from nproxy_mw.npm.digests import check_claims, digests
from nproxy_mw.npm.manifests import check_same, runs_on_install
from nproxy_mw.npm.tarballs import Contents, inspect

PLATFORMS = ("os", "cpu", "libc")
AS_IS = (*PLATFORMS, "engines", "main", "exports", "imports", "type")
"""What clients send as it stands in ``package.json``: they correct none of these."""


def problems(packument: Json, version: str, tarball: bytes, keys: Sequence[Any]) -> Iterator[str]:
    """Everything that is wrong with one version, as sentences; nothing when all is well.

    *packument* is the full one, which may hold anything under *version*; *keys* are public keys as
    ``/-/npm/v1/keys`` lists them.
    """
    manifest = packument["versions"][version]
    dist = manifest.get("dist") if isinstance(manifest, Mapping) else None
    if not isinstance(dist, Mapping):
        yield "Its manifest is not what it should be: an object with an object as its dist."
        return
    yield from _problems_of_bytes(manifest, dist, tarball)
    by_id = {str(key.get("keyid")): key for key in keys if isinstance(key, Mapping)}
    times = packument.get("time")
    published = str(times.get(version, "")) if isinstance(times, Mapping) else ""
    signed = signing.message(str(packument.get("name")), version, str(dist.get("integrity")))
    ours = dist.get("nproxy")
    for kind, entries in (
        (signing.P256, dist.get("signatures")),
        (signing.ED25519, ours.get("signatures") if isinstance(ours, Mapping) else ours),
    ):
        yield from _problems_of_signatures(entries, kind, by_id, signed, published)


def _problems_of_bytes(manifest: Json, dist: Json, tarball: bytes) -> Iterator[str]:
    try:
        if not dist.get("integrity"):
            yield "It says nothing of its tarball: dist.integrity is missing."
        check_claims(dist, digests(tarball))
    except BadRequest:
        yield "Its tarball is not the one that was published: the bytes do not match dist.integrity."
        return
    try:
        contents = inspect(tarball)
        check_same(manifest, contents.package_json)
    except BadRequest:
        yield "Its manifest is not the one that was published: it differs from the package.json in the tarball."
        return
    if differing := list(_differing(manifest, contents)):
        yield f"Its manifest differs from its tarball in {', '.join(differing)}."


def _differing(manifest: Json, contents: Contents) -> Iterator[str]:
    """What no publish is refused for, and that is the same in every honest one all the same."""
    for field in AS_IS:
        if _plain(field, manifest.get(field)) != _plain(field, contents.package_json.get(field)):
            yield field
    if bool(manifest.get("hasInstallScript")) != runs_on_install(contents.package_json, contents):
        yield "hasInstallScript"
    if bool(manifest.get("_hasShrinkwrap")) != contents.has_shrinkwrap:
        yield "_hasShrinkwrap"


def _plain(field: str, value: Any) -> Any:
    """Nothing is the same in every form; one platform is a list of one."""
    if not value:
        return None
    return [value] if field in PLATFORMS and isinstance(value, str) else value


def _problems_of_signatures(
    entries: Any, kind: str, keys: Mapping[str, Json], signed: bytes, published: str
) -> Iterator[str]:
    if not entries:
        yield f"It has no {kind} signature."
    elif not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        yield f"Its {kind} signatures are not what they should be: a list of objects."
    else:
        for entry in entries:
            yield from _problems_of_signature(entry, kind, keys, signed, published)


def _problems_of_signature(
    entry: Json, kind: str, keys: Mapping[str, Json], signed: bytes, published: str
) -> Iterator[str]:
    key = keys.get(str(entry.get("keyid")))
    if key is None or key.get("keytype") != kind:
        yield f"Its {kind} signature is by a key that is not listed."
    elif not signing.verify(key, signed, str(entry.get("sig"))):
        yield f"Its {kind} signature does not fit."
    elif key.get("expires") and published >= str(key["expires"]):
        yield f"Its {kind} signature is by a key that had expired when it was published."
