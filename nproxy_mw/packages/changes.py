"""The changes that a package's record can go through, each a pure function from one state to the next.

Each is given the record as it is stored, and returns the next one with the facts that the audit trail records of it. It
raises a `ClientError` when the record does not allow the change. It returns the same record when there is nothing to
change, so that nothing is written. A change that lost its race is made again on the state
that won, so it depends on nothing but its arguments. *now* is the time of the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn, TypeAlias

from nproxy_mw import signing
from nproxy_mw.audit.events import AuditedChange, Fact
from nproxy_mw.copies import replace
from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.npm.publication import Publication
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.release import release
from nproxy_mw.signing import Signer

RecordChange: TypeAlias = AuditedChange[Record]


def publish(
    record: Record,
    now: datetime,
    *,
    publication: Publication,
    publisher: str,
    tarball: Json,
    signatures: Json,
    key_ids: Sequence[str],
) -> RecordChange:
    """Adds a version whose bytes are stored as *tarball* says: ``{"key", "size"}``.

    *signatures* join the fields of its ``dist``; *key_ids* name the keys that made them.

    Raises:
        Conflict: the version number is not available.
    """
    version = publication.version
    packuments.check_free(version, record.unavailable)
    packument = release(record.packument, publication, publisher, signatures, now)
    after = replace(record, packument=packument, tarballs={**record.tarballs, version: tarball})
    return AuditedChange(after, [("package.published", {"version": version}), *_signed_facts([version], key_ids)])


def unpublish(record: Record, now: datetime, *, revision: str) -> RecordChange:
    """Makes the package absent.

    Raises:
        NotFound: there is no such package.
        Conflict: it was changed since *revision*.
    """
    _check_revision(record, revision)
    after = replace(record, packument=None, tarballs={}, retired=record.unavailable)
    return AuditedChange(after, [("package.unpublished", {})])


def unpublish_versions(record: Record, now: datetime, *, versions: frozenset[str], revision: str) -> RecordChange:
    """Removes some versions of several. Raises as `unpublish` does."""
    packument = packuments.without_versions(_check_revision(record, revision), versions, now)
    kept = {version: entry for version, entry in record.tarballs.items() if version not in versions}
    after = replace(record, packument=packument, tarballs=kept, retired=record.retired | versions)
    return AuditedChange(after, [("package.unpublished", {"version": version}) for version in sorted(versions)])


def tag(record: Record, now: datetime, *, name: str, version: str) -> RecordChange:
    """Points the dist-tag *name* at *version*.

    Raises:
        NotFound: there is no such package or version.
        BadRequest: *name* cannot be a dist-tag.
    """
    if present(record)["dist-tags"].get(name) == version:
        return AuditedChange(record)
    packument = packuments.with_tag(present(record), name, version, now)
    return AuditedChange(replace(record, packument=packument), [("package.tagged", {"tag": name, "version": version})])


def untag(record: Record, now: datetime, *, name: str) -> RecordChange:
    """Removes the dist-tag *name*.

    Raises:
        NotFound: there is no such package or dist-tag.
        BadRequest: it is ``latest``.
    """
    packument = packuments.without_tag(present(record), name, now)
    return AuditedChange(replace(record, packument=packument), [("package.untagged", {"tag": name})])


def deprecate(record: Record, now: datetime, *, messages: Mapping[str, str], revision: str) -> RecordChange:
    """Sets each version's deprecation message; an empty one removes it. Raises as `unpublish` does."""
    packument = _check_revision(record, revision)
    if all(packument["versions"].get(it, {}).get("deprecated", "") == messages[it] for it in messages):
        return AuditedChange(record)
    packument = packuments.with_deprecations(packument, messages, now)
    return AuditedChange(replace(record, packument=packument), [("package.deprecated", {"versions": sorted(messages)})])


def sign(record: Record, now: datetime, *, signers: Sequence[Signer]) -> RecordChange:
    """Signs the versions that have no signature.

    Raises:
        NotFound: there is no such package.
    """
    packument = present(record)
    signed = {
        version: _signed(packument["name"], manifest, signers)
        for version, manifest in packument["versions"].items()
        if not manifest["dist"].get("signatures")
    }
    if not signed or not signers:
        return AuditedChange(record)
    packument = {**packument, "versions": {**packument["versions"], **signed}}
    return AuditedChange(replace(record, packument=packument), _signed_facts(signed, [it.key_id for it in signers]))


def present(record: Record) -> Json:
    """Returns the packument of a package that is there.

    Raises:
        NotFound: it is not, or no longer.
    """
    return record.packument if record.packument is not None else absent()


def absent() -> NoReturn:
    """Raises the one `NotFound` of every package that is not there."""
    raise NotFound("There is no such package in this registry.", code="package-not-found")


def stale() -> NoReturn:
    """Raises the `Conflict` of a change that was made from another state than the stored one."""
    raise Conflict("The package was changed since you read it: read it again and repeat.", code="stale-revision")


def _check_revision(record: Record, revision: str) -> Json:
    """Returns the packument when *revision* is the record's.

    Raises:
        NotFound: there is no such package.
        Conflict: the record has another revision.
    """
    packument = present(record)
    if revision != record.revision:
        stale()
    return packument


def _signed(name: str, manifest: Json, signers: Sequence[Signer]) -> Json:
    dist = manifest["dist"]
    signatures = signing.signatures(name, manifest["version"], dist["integrity"], signers)
    return {**manifest, "dist": {**dist, **signatures}}


def _signed_facts(versions: Iterable[str], key_ids: Sequence[str]) -> list[Fact]:
    return [("package.signed", {"version": version, "keyId": key_id}) for version in versions for key_id in key_ids]
