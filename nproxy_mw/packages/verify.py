"""Whether a published version is what was published: its bytes, its manifest, and both signatures. Pure.

The signatures cover name, version and integrity; the integrity covers the bytes; and the bytes hold the
``package.json`` that the manifest must agree with. So nobody can alter one of them without forging a key. Nothing
covers what a manifest adds to that file, or may state differently: docs/signing.md lists it.
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

_PLATFORMS = ("os", "cpu", "libc")
_AS_IS = (*_PLATFORMS, "engines", "main", "exports", "imports", "type")
"""What clients send unchanged from ``package.json``."""


def findings(packument: Json, version: str, tarball: bytes, keys: Sequence[Any]) -> Iterator[str]:
    """Yields a sentence for everything that is wrong with one version; nothing when it is as it was published.

    *packument* is the full one, which may hold anything under *version*; *keys* are public keys as
    ``/-/npm/v1/keys`` lists them.
    """
    manifest = packument["versions"][version]
    dist = manifest.get("dist") if isinstance(manifest, Mapping) else None
    if not isinstance(dist, Mapping):
        yield "Its manifest is not an object with an object as its dist."
        return
    yield from _check_bytes(manifest, dist, tarball)
    by_id = {str(key.get("keyid")): key for key in keys if isinstance(key, Mapping)}
    times = packument.get("time")
    published = str(times.get(version, "")) if isinstance(times, Mapping) else ""
    signed = signing.message(str(packument.get("name")), version, str(dist.get("integrity")))
    ours = dist.get("nproxy")
    for kind, entries in (
        (signing.P256, dist.get("signatures")),
        (signing.ED25519, ours.get("signatures") if isinstance(ours, Mapping) else ours),
    ):
        yield from _check_signatures(entries, kind, by_id, signed, published)


def manifest_difference(manifest: Json, tarball: bytes) -> str:
    """Returns how a manifest differs from its tarball, as the end of a sentence about it; empty when it does not."""
    try:
        contents = inspect(tarball)
        check_same(manifest, contents.package_json)
    except BadRequest:
        return "differs from the package.json in its tarball"
    differing = list(_differing(manifest, contents))
    return f"differs from its tarball in {', '.join(differing)}" if differing else ""


def _check_bytes(manifest: Json, dist: Json, tarball: bytes) -> Iterator[str]:
    try:
        if not dist.get("integrity"):
            yield "Nothing identifies its tarball: dist.integrity is missing."
        check_claims(dist, digests(tarball))
    except BadRequest:
        yield "Its tarball is not the one that was published: the bytes do not match dist.integrity."
        return
    if difference := manifest_difference(manifest, tarball):
        yield f"Its manifest is not the one that was published: it {difference}."


def _differing(manifest: Json, contents: Contents) -> Iterator[str]:
    """The fields that no publish is refused for, and that still agree in every honest one."""
    for field in _AS_IS:
        if _plain(field, manifest.get(field)) != _plain(field, contents.package_json.get(field)):
            yield field
    if bool(manifest.get("hasInstallScript")) != runs_on_install(contents.package_json, contents):
        yield "hasInstallScript"
    if bool(manifest.get("_hasShrinkwrap")) != contents.has_shrinkwrap:
        yield "_hasShrinkwrap"


def _plain(field: str, value: Any) -> Any:
    """One form of each value: every empty one is None, and one platform is a list of one."""
    if not value:
        return None
    return [value] if field in _PLATFORMS and isinstance(value, str) else value


def _check_signatures(
    entries: Any, kind: str, keys: Mapping[str, Json], signed: bytes, published: str
) -> Iterator[str]:
    if not entries:
        yield f"It has no {kind} signature."
    elif not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        yield f"Its {kind} signatures are not a list of objects."
    else:
        for entry in entries:
            yield from _check_signature(entry, kind, keys, signed, published)


def _check_signature(entry: Json, kind: str, keys: Mapping[str, Json], signed: bytes, published: str) -> Iterator[str]:
    key = keys.get(str(entry.get("keyid")))
    if key is None or key.get("keytype") != kind:
        yield f"Its {kind} signature is by a key that is not listed."
    elif not signing.verify(key, signed, str(entry.get("sig"))):
        yield f"Its {kind} signature does not match."
    elif key.get("expires") and published >= str(key["expires"]):
        yield f"Its {kind} signature is by a key that had expired when it was published."
