"""``nproxy-mw verify``: whether published versions are what was published."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.files import read_file, read_json
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.specifiers import parse_specifier
from nproxy_mw.cli.stores import ONE_ORG, organization_of
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name
from nproxy_mw.packages.verify import findings

MAX_DOCUMENT = 256 * 2**20  # bytes: more than the largest packument
MAX_TARBALL = 2**30  # bytes

_TEXT = """\
Checks the bytes, the manifest and both signatures of a version, or of all versions of a package. Exit code 1 when one
is not what was published.

  nproxy-mw verify @acme/utils@1.0.0                  in the store
  nproxy-mw verify @acme/utils --files DIR            offline, with nothing but files:

    DIR/keys.json              what the registry answers to /-/npm/v1/keys
    DIR/packument.json         what it answers to /@acme%2futils
    DIR/utils-1.0.0.tgz        the tarballs, under their registry's or npm pack's names

Keys that were kept elsewhere prove more than those of the store itself: give --keys FILE.
"""

TarballReader: TypeAlias = Callable[[str], bytes]
"""Returns the tarball of a version."""


def _run(parsed: Parsed) -> int:
    name, version = parse_specifier(parsed.package)
    packument, keys, read = _from_files(Path(parsed.files), name) if parsed.files else _from_store(parsed, name)
    if parsed.keys:
        keys = _document(Path(parsed.keys), "keys", list)["keys"]
    versions = [version] if version else list(packument["versions"])
    bad = 0
    for one in versions:
        if one not in packument["versions"]:
            raise UsageError(f"{name} has no version {one}.")
        found = list(findings(packument, one, read(one), keys))
        bad += bool(found)
        print(f"{name}@{one}: {' '.join(found) or 'as it was published, with both signatures'}")
    if bad:
        print(f"{bad} of {len(versions)} versions are not what was published.", file=sys.stderr)
    return 1 if bad else 0


def _from_store(parsed: Parsed, name: Name) -> tuple[Json, Sequence[Json], TarballReader]:
    organization = organization_of(parsed)

    def read(version: str) -> bytes:
        with organization.packages.open_tarball(name, name.tarball(version)).stream as stream:
            return stream.read()

    return organization.packages.read(name)[0], organization.keys.public_keys(), read


def _from_files(folder: Path, name: Name) -> tuple[Json, Sequence[Json], TarballReader]:
    packument = _document(folder / "packument.json", "versions", dict)
    if packument.get("name") != str(name):
        raise UsageError(f"{folder / 'packument.json'} is not of {name}.")

    def read(version: str) -> bytes:
        packed = f"{str(name).removeprefix('@').replace('/', '-')}-{version}.tgz"
        for file in (name.tarball(version), packed):
            if (folder / file).is_file():
                return read_file(folder / file, MAX_TARBALL)
        raise UsageError(f"{folder} has neither {name.tarball(version)} nor {packed}.")

    return packument, _document(folder / "keys.json", "keys", list)["keys"], read


def _document(path: Path, member: str, kind: type) -> Json:
    document = read_json(path, MAX_DOCUMENT)
    if not isinstance(document, dict) or not isinstance(document.get(member), kind):
        raise UsageError(f"{path} is not what it should be: see nproxy-mw verify --help.")
    return document


COMMAND = Command(
    "verify",
    _run,
    _TEXT,
    arguments=(Argument("package", "NAME[@VERSION]", "a package, or one version of it"),),
    options=(
        Option("files", "verify these files instead of the store", "DIR", group="verify"),
        Option("keys", "public keys, as /-/npm/v1/keys answers them", "FILE", group="verify"),
        *ONE_ORG,
    ),
)
