"""The forms of a packument that clients ask for, written from its slices. Pure.

*Full* is what the upstream said, with the addresses of tarballs and attestations put right and nothing lost.
*Abbreviated* is what installers other than npm's ask for
(https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md); it carries ``time`` too, which clients
that hold young versions back need. *Slim* is for npm's own installer, which asks for the full form and reads a fifth
of it: a resolution needs nothing else, and the lockfile is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Raw

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.routes import explain_url
from nproxy_mw.npm.scripts import NO_SCRIPTS, Scripts, scripts_of
from nproxy_mw.npm.slices import Members, Packument, as_text, as_time, members_of

NO_SUCH_VERSION = "version-not-found"
"""Code of the error for a version or a dist-tag that a packument does not have."""


class Form(Enum):
    """How much of a packument is written."""

    FULL = "full"
    ABBREVIATED = "abbreviated"
    SLIM = "slim"


# fmt: off
_INSTALLED = (
    "name", "version", "deprecated", "dependencies", "optionalDependencies", "bundleDependencies",
    "bundledDependencies", "peerDependencies", "peerDependenciesMeta", "bin", "directories", "dist", "engines", "cpu",
    "os", "libc", "funding", "acceptDependencies", "hasInstallScript", "_hasShrinkwrap",
)
# fmt: on
# `_npmUser` is for pnpm's trust policy.
ABBREVIATED = (*_INSTALLED, "devDependencies", "_npmUser")
"""What the abbreviated form has of a manifest, beside what its scripts say."""

# What npm's Arborist resolves by or writes into a lockfile (npm 11).
SLIM = (*_INSTALLED, "_id", "license", "workspaces")
"""What the slim form has of a manifest, beside its install scripts."""

RESTRICTIONS = "policyRestrictions"
# npm-pick-manifest reads the last two: versions that a policy holds back, and staged ones.
_SLIM_TOP = ("_id", "name", "time", "modified", RESTRICTIONS, "stagedVersions")
TRUE = Raw(b"true")
_ATTESTATIONS = "/-/npm/v1/attestations/"

_encode = msgspec.json.Encoder().encode


def written(packument: Packument, form: Form, base_url: str) -> bytes:
    """Returns the JSON of *packument* in *form*, its URLs below *base_url*, which has no trailing slash."""
    place, choose = Places(packument.name, base_url), _CHOSEN[form]
    versions = {
        version: {**choose(manifest), "dist": place.dist(version, members_of(manifest["dist"]))}
        for version, manifest in packument.versions.items()
    }
    members = dict(packument.members)
    if packument.withheld and RESTRICTIONS in members:
        members[RESTRICTIONS] = _with_link(members[RESTRICTIONS], packument, base_url)
    return joined_form(form, members, pointing_tags(packument), versions)


def joined_form(form: Form, members: Members, tags: Mapping[str, str], versions: Mapping[str, object]) -> bytes:
    """Returns the JSON of a packument with *tags* and finished *versions*, and what *form* has of *members*."""
    return _encode({**_TOP[form](members), "dist-tags": tags, "versions": versions})


def written_version(packument: Packument, version_or_tag: str, base_url: str) -> bytes:
    """Returns the JSON of the manifest that a version or a dist-tag names.

    Raises:
        NotFound: there is no such version.
    """
    version = packument.tags.get(version_or_tag, version_or_tag)
    manifest = packument.versions.get(version)
    if version in packument.withheld:
        raise packument.withheld[version]()
    if manifest is None:
        raise NotFound("The package has no such version or dist-tag.", code=NO_SUCH_VERSION)
    return _encode({**manifest, "dist": Places(packument.name, base_url).dist(version, members_of(manifest["dist"]))})


def written_members(members: Mapping[str, Raw | str]) -> bytes:
    """Returns the JSON of an object with *members*."""
    return _encode(members)


def pointing_tags(packument: Packument) -> dict[str, str]:
    """Returns the dist-tags that point at a version: one that dangles breaks clients."""
    return {tag: version for tag, version in packument.tags.items() if version in packument.versions}


def _with_link(restrictions: Raw, packument: Packument, base_url: str) -> Raw:
    """Returns what npm prints of held versions, and the URL that explains them: npm prints no other."""
    found, held = msgspec.json.decode(restrictions), list(packument.withheld)
    url = explain_url(base_url, packument.name, held[0] if len(held) == 1 else "")
    return Raw(_encode({**found, "message": f"{found['message']}\nSee {url}"}))


class Places:
    """Where the tarballs and attestations of one package lie at *base_url*."""

    def __init__(self, name: str, base_url: str) -> None:
        # JSON strings without their closing quotes.
        self._tarball = _encode(f"{base_url}/{name}/-/{name.rpartition('/')[2]}-")[:-1]
        self._attestations = _encode(f"{base_url}{_ATTESTATIONS}{name}@")[:-1]

    def dist(self, version: str, dist: dict[str, Any]) -> dict[str, Any]:
        """Puts our URLs into the ``dist`` of *version*, and returns it."""
        dist["tarball"] = self.tarball(version)
        if "attestations" in dist:
            dist["attestations"] = self.attestations(version, dist["attestations"])
        return dist

    def tarball(self, version: str) -> Raw:
        """Returns the URL of a tarball."""
        return Raw(b'%b%b.tgz"' % (self._tarball, version.encode()))

    def attestations(self, version: str, raw: Raw) -> Raw:
        """Returns what a ``dist`` says of attestations with our URL."""
        attestations = members_of(raw)
        # npm asks for the path of this URL at the registry it is configured with.
        if "url" not in attestations:
            return raw
        return Raw(_encode({**attestations, "url": Raw(b'%b%b"' % (self._attestations, version.encode()))}))


def _abbreviated(manifest: Members) -> Members:
    short = _picked(manifest, ABBREVIATED)
    # bun skips install scripts without a word when this is missing.
    if run_at_install(scripts_of(manifest)):
        short["hasInstallScript"] = TRUE
    return short


def run_at_install(scripts: Scripts) -> bool:
    """Whether there is one among *scripts* that npm runs when it installs the package."""
    return any(as_text(script) for script in (scripts.preinstall, scripts.install, scripts.postinstall))


def _slim(manifest: Members) -> Mapping[str, Any]:
    short, scripts = _picked(manifest, SLIM), scripts_of(manifest)
    return short if scripts == NO_SCRIPTS else {**short, "scripts": scripts}


def _abbreviated_top(members: Members) -> Members:
    """The members above the versions. pnpm asks again where ``modified`` is missing."""
    times = members_of(members.get("time"))
    modified = times.get("modified") or members.get("modified") or _newest(times)
    short = _picked(members, ("name", "time"))
    return {**short, "modified": modified} if modified is not None else short


def _newest(times: Members) -> Raw | None:
    """Returns the newest of *times*; with an older one, clients would conclude that nothing changed."""
    dated = [(moment, raw) for raw in times.values() if (moment := as_time(raw)) is not None]
    return max(dated, key=itemgetter(0))[1] if dated else None


def _picked(members: Members, names: Sequence[str]) -> dict[str, Raw]:
    return {name: members[name] for name in names if name in members}


_CHOSEN: Mapping[Form, Callable[[Members], Mapping[str, Any]]] = {
    Form.FULL: lambda manifest: manifest,
    Form.ABBREVIATED: _abbreviated,
    Form.SLIM: _slim,
}
_TOP: Mapping[Form, Callable[[Members], Members]] = {
    Form.FULL: lambda members: members,
    Form.ABBREVIATED: _abbreviated_top,
    Form.SLIM: lambda members: _picked(members, _SLIM_TOP),
}
