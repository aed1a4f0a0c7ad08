"""How a publication becomes part of its package's packument: what the client sent, and the fields that are ours."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter

from nproxy_mw.json_values import Json
from nproxy_mw.npm.packuments import add_version
from nproxy_mw.npm.publication import Publication


def release(packument: Json | None, publication: Publication, publisher: str, signatures: Json, now: datetime) -> Json:
    """Returns the packument with the published version in it, by *publisher*.

    *signatures* join the fields of its ``dist``.

    Raises:
        Conflict: the version exists already.
    """
    added = add_version(
        packument, publication.name, _manifest(publication, publisher, signatures), publication.tags, now
    )
    return _with_maintainer(_with_readme(added, publication), publisher)


def _manifest(publication: Publication, publisher: str, signatures: Json) -> Json:
    manifest = {
        **publication.manifest,
        "_npmUser": {"name": publisher, "email": ""},
        "dist": {**publication.manifest["dist"], **signatures},
    }
    return {**manifest, "hasInstallScript": True} if publication.has_install_script else manifest


def _with_readme(packument: Json, publication: Publication) -> Json:
    """The packument with the README of its latest version, kept once and not in each manifest."""
    if not publication.readme or packument["dist-tags"].get("latest") != publication.version:
        return packument
    return {**packument, "readme": publication.readme, "readmeFilename": publication.readme_filename}


def _with_maintainer(packument: Json, publisher: str) -> Json:
    """The packument with its publisher among the maintainers, once."""
    maintainers = packument.get("maintainers", [])
    if publisher in map(itemgetter("name"), maintainers):
        return packument
    return {**packument, "maintainers": [*maintainers, {"name": publisher, "email": ""}]}
