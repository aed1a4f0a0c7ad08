"""A publish document, checked and turned into a value: what ``npm publish`` puts to ``/<name>``.

::

    {"_id": name, "name": name, "dist-tags": {tag: version}, "access": null,
     "versions": {version: manifest},
     "_attachments": {"<name>-<version>.tgz": {"data": base64, "length": n},
                      "<name>-<version>.sigstore": {"data": json}}}

It states every name, version and digest more than once. They must all agree. What only a registry may state (who
published, when, signatures, digests) is dropped or computed. The document cannot know which versions are stored, so its
tags may name only the version that it brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import dumps
from nproxy_mw.npm.attachments import parse_attachments
from nproxy_mw.npm.digests import Digests, check_claims, digests
from nproxy_mw.npm.manifests import check_same, runs_on_install
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.tarballs import Contents, inspect
from nproxy_mw.npm.versions import check_tag, precedence_of

MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes of a version's manifest as JSON, without the readme. Every reader of the package loads all its manifests; the
largest real ones have some 100 KB."""

MAX_README = 2 * 1024 * 1024
"""Bytes of a readme. It is stored once per package."""

MAX_TAGS = 20
"""Tags that one publish may set. Clients send one."""

NO_README = "ERROR: No README data found!"
"""What npm sends when there is no readme."""

_OURS = frozenset({"_attachments", "_hasShrinkwrap", "_id", "_npmUser", "_rev", "dist", "hasInstallScript", "time"})
_LEAKS = frozenset({"_from", "_integrity", "_resolved", "_where"})  # paths of the publisher's machine


class Publication(Struct, frozen=True):
    """One new version of a package, and the tags that are to name it."""

    name: Name
    version: str
    manifest: dict[str, Any]
    """As the client sent it, without the readme and what clients may not state; with a ``dist`` of our own."""
    tags: dict[str, str]
    tarball: bytes
    integrity: str  # sha512-<base64>
    has_install_script: bool
    """Whether an install runs something: a script, or node-gyp because there is a ``*.gyp`` file."""
    readme: str
    readme_filename: str


def is_publish(document: Mapping[str, Any]) -> bool:
    """Returns whether a document put to a package brings a version, rather than changing what is there.

    ``npm deprecate`` puts the whole packument without attachments, ``npm star`` and ``npm owner`` parts of it.
    """
    return "_attachments" in document


def parse_publication(name: Name, document: Mapping[str, Any]) -> Publication:
    """Checks the document put to the package *name*.

    Raises:
        BadRequest: it contradicts the URL, itself or its tarball, or is not a publish document.
    """
    _check_name(name, document)
    version, manifest = _only_version(document)
    tags = _tags(version, document)
    tarball = parse_attachments(name, version, document.get("_attachments"))
    found = digests(tarball)
    check_claims(_object(manifest.get("dist", {}), "dist of the version"), found)
    contents = inspect(tarball)
    check_same(manifest, contents.package_json)
    _check_access(document)
    return Publication(
        name=name,
        version=version,
        manifest=_cleaned(manifest, found, contents),
        tags=tags,
        tarball=tarball,
        integrity=found.integrity,
        has_install_script=runs_on_install(contents.package_json, contents),
        readme=_readme(manifest, document),
        readme_filename=_text(manifest.get("readmeFilename"), "readmeFilename"),
    )


def _check_name(name: Name, document: Mapping[str, Any]) -> None:
    if not name.is_publishable:
        raise BadRequest(
            "That name cannot be published: a new package's name is lower case, of letters, digits, '-', '_' and '.'.",
            code="invalid-name",
        )
    if not name.is_storable:
        raise BadRequest(
            "Not every file system can store that name: it is a device's, or ends with a dot. Choose another.",
            code="invalid-name",
        )
    text = str(name)
    if document.get("name") != text or document.get("_id", text) != text:
        raise _refusal("names another package than the URL")


def _only_version(document: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name, versions = document["name"], _object(document.get("versions"), "versions")
    if len(versions) != 1:
        raise _refusal("must bring exactly one version")
    ((version, given),) = versions.items()
    precedence_of(version)  # parses it; `check_free` asks for the same soon
    manifest = _object(given, "version")
    if manifest.get("name") != name or manifest.get("version") != version:
        raise _refusal("has a version whose manifest has another name or version")
    if manifest.get("_id", f"{name}@{version}") != f"{name}@{version}":
        raise _refusal("has a version whose _id is not name@version")
    return version, manifest


def _tags(version: str, document: Mapping[str, Any]) -> dict[str, str]:
    tags = _object(document.get("dist-tags", {}), "dist-tags")
    if len(tags) > MAX_TAGS:
        raise _refusal(f"has more than {MAX_TAGS} dist-tags; add them one by one")
    for tag, target in tags.items():
        check_tag(tag)
        if target != version:
            raise _refusal("has a dist-tag that names an absent version: a publish can tag only the version it brings")
    return dict(tags)


def _cleaned(manifest: dict[str, Any], found: Digests, contents: Contents) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in manifest.items()
        if key != "readme" and key not in _OURS and key not in _LEAKS and not key.startswith("_nproxy")
    }
    kept["_id"] = f"{kept['name']}@{kept['version']}"
    if contents.has_shrinkwrap:
        kept["_hasShrinkwrap"] = True
    kept["dist"] = {
        "integrity": found.integrity,
        "shasum": found.shasum,
        "fileCount": contents.file_count,
        "unpackedSize": contents.unpacked_size,
    }
    if len(dumps(kept)) > MAX_MANIFEST:
        raise _refusal(f"has a manifest of more than {MAX_MANIFEST // 2**20} MiB; take what is not needed out of it")
    return kept


def _readme(manifest: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    readme = _text(manifest.get("readme"), "readme") or _text(document.get("readme"), "readme")
    if len(readme.encode()) > MAX_README:
        raise _refusal(f"has a readme of more than {MAX_README // 2**20} MiB; shorten it")
    return "" if readme == NO_README else readme


def _check_access(document: Mapping[str, Any]) -> None:
    if document.get("access") not in (None, "public", "restricted"):
        raise _refusal('has an access that is neither "public" nor "restricted"')


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refusal(f"must have an object as its {what}")
    return value


def _text(value: Any, what: str) -> str:
    if value is not None and not isinstance(value, str):
        raise _refusal(f"must have a string as its {what}")
    return value or ""


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The publish document {what}.", code="invalid-publication")
