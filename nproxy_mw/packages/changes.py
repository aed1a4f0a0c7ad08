"""The changes a package's record can go through, each a pure step from one state to the next.

A step is given the record as it is stored and the time, and answers the next record and the audit events that tell of
it; it raises a ClientError when the record will not have it. `packages` reads, steps and swaps; a step that lost its
race is taken again on what won, so it must not remember anything of an earlier try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn, Protocol, TypeAlias

from nproxy_mw import signing
from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.npm.publication import Publication
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.release import release
from nproxy_mw.signing import Signer

Step: TypeAlias = Callable[[Record, datetime], tuple[Record, Sequence[Json]]]


class Tell(Protocol):
    """Makes an audit event about the package at hand, by whoever changes it."""

    def __call__(self, kind: str, now: datetime, **fields: object) -> Json:
        """An event of *kind* that hangs in no chain yet."""
        ...


def publish(
    publication: Publication, publisher: str, entry: Json, signatures: Json, signers: Sequence[Signer], tell: Tell
) -> Step:
    """Adds a version whose bytes are stored as *entry* says. Raises `Conflict` when its number is taken."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        version = publication.version
        packuments.check_free(version, record.taken)
        packument = release(record.packument, publication, publisher, signatures, now)
        told = [tell("package.published", now, version=version), *_told_signed([version], signers, tell, now)]
        return replace(record, packument=packument, tarballs={**record.tarballs, version: entry}), told

    return step


def unpublish(revision: str, tell: Tell) -> Step:
    """Makes the package absent. Raises `NotFound`, and `Conflict` when it changed since *revision*."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        _check_revision(record, revision)
        gone = replace(record, packument=None, tarballs={}, retired=record.taken)
        return gone, [tell("package.unpublished", now)]

    return step


def unpublish_versions(versions: frozenset[str], revision: str, tell: Tell) -> Step:
    """Takes some versions of several away. Raises as `unpublish` does."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        packument = packuments.without_versions(_check_revision(record, revision), versions, now)
        kept = {version: entry for version, entry in record.tarballs.items() if version not in versions}
        told = [tell("package.unpublished", now, version=version) for version in sorted(versions)]
        return replace(record, packument=packument, tarballs=kept, retired=record.retired | versions), told

    return step


def tag(name: str, version: str, tell: Tell) -> Step:
    """Points the dist-tag *name* at *version*. Raises `NotFound`, and `BadRequest` when it is no tag."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        packument = packuments.with_tag(present(record), name, version, now)
        return replace(record, packument=packument), [tell("package.tagged", now, tag=name, version=version)]

    return step


def untag(name: str, tell: Tell) -> Step:
    """Takes the dist-tag *name* away. Raises `NotFound`, and `BadRequest` for ``latest``."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        packument = packuments.without_tag(present(record), name, now)
        return replace(record, packument=packument), [tell("package.untagged", now, tag=name)]

    return step


def deprecate(messages: Mapping[str, str], revision: str, tell: Tell) -> Step:
    """Sets each version's deprecation message; an empty one takes it away. Raises as `unpublish` does."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        packument = packuments.with_deprecations(_check_revision(record, revision), messages, now)
        return replace(record, packument=packument), [tell("package.deprecated", now, versions=sorted(messages))]

    return step


def sign(signers: Sequence[Signer], tell: Tell) -> Step:
    """Signs the versions that have no signature. Raises `NotFound`."""

    def step(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
        packument = present(record)
        signed = {
            version: _signed(packument["name"], manifest, signers)
            for version, manifest in packument["versions"].items()
            if not manifest["dist"].get("signatures")
        }
        packument = {**packument, "versions": {**packument["versions"], **signed}}
        return replace(record, packument=packument), _told_signed(signed, signers, tell, now)

    return step


def present(record: Record) -> Json:
    """The packument of a package that is there.

    Raises:
        NotFound: it is not, or no longer.
    """
    return record.packument if record.packument is not None else absent()


def absent() -> NoReturn:
    """Raises the one `NotFound` that every absent package is answered with."""
    raise NotFound("There is no such package in this registry.", code="package-not-found")


def stale() -> NoReturn:
    """Raises the `Conflict` of a change that was made from another state than the stored one."""
    raise Conflict("The package was changed since you read it: read it again and repeat.", code="stale-revision")


def _check_revision(record: Record, revision: str) -> Json:
    packument = present(record)
    if revision != record.revision:
        stale()
    return packument


def _signed(name: str, manifest: Json, signers: Sequence[Signer]) -> Json:
    dist = manifest["dist"]
    signatures = signing.signatures(name, manifest["version"], dist["integrity"], signers)
    return {**manifest, "dist": {**dist, **signatures}}


def _told_signed(versions: Iterable[str], signers: Sequence[Signer], tell: Tell, now: datetime) -> list[Json]:
    return [
        tell("package.signed", now, version=version, keyId=signer.key_id) for version in versions for signer in signers
    ]
