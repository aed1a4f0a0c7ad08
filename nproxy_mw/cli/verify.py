"""``nproxy-mw verify``: whether published versions are what was published."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from nproxy_mw.cli.options import UsageError, add_store_options, organization_of
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages.verify import findings

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Checks the bytes, the manifest and both signatures of a version, or of all versions of a package; exit code 1 when one
is not what was published.

  nproxy-mw verify @acme/utils@1.0.0                  in the store
  nproxy-mw verify @acme/utils --files DIR            offline, with nothing but files:

    DIR/keys.json              what the registry answers to /-/npm/v1/keys
    DIR/packument.json         what it answers to /@acme%2futils
    DIR/utils-1.0.0.tgz        the tarballs, under their registry's or npm pack's names

Keys that were kept elsewhere prove more than those of the store itself: give --keys FILE.
"""

TarballReader = Callable[[str], bytes]


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "verify",
        help="check signatures and bytes of a package",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("package", metavar="NAME[@VERSION]")
    parser.add_argument("--files", type=Path, metavar="DIR", help="verify these files instead of the store")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="public keys, as /-/npm/v1/keys answers them")
    add_store_options(parser)
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    name, version = _split(parsed.package)
    packument, keys, read = _from_files(parsed.files, name) if parsed.files else _from_store(parsed, name)
    if parsed.keys:
        keys = _json(parsed.keys, "keys", list)["keys"]
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


def _split(text: str) -> tuple[Name, str]:
    base, _, version = text[1:].partition("@")
    return parse_name(text[:1] + base), version


def _from_store(parsed: argparse.Namespace, name: Name) -> tuple[Json, Sequence[Json], TarballReader]:
    organization = organization_of(parsed)

    def read(version: str) -> bytes:
        with organization.packages.open_tarball(name, name.tarball(version)).stream as stream:
            return stream.read()

    return organization.packages.read(name)[0], organization.keys.public_keys(), read


def _from_files(folder: Path, name: Name) -> tuple[Json, Sequence[Json], TarballReader]:
    packument = _json(folder / "packument.json", "versions", dict)
    if packument.get("name") != str(name):
        raise UsageError(f"{folder / 'packument.json'} is not of {name}.")

    def read(version: str) -> bytes:
        packed = f"{str(name).removeprefix('@').replace('/', '-')}-{version}.tgz"
        for file in (name.tarball(version), packed):
            if (folder / file).is_file():
                return (folder / file).read_bytes()
        raise UsageError(f"{folder} has neither {name.tarball(version)} nor {packed}.")

    return packument, _json(folder / "keys.json", "keys", list)["keys"], read


def _json(path: Path, member: str, kind: type) -> Json:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON.") from error
    if not isinstance(document, dict) or not isinstance(document.get(member), kind):
        raise UsageError(f"{path} is not what it should be: see nproxy-mw verify --help.")
    return document
