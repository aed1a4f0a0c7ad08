"""What the upstream is asked for is built from what a path means."""

from __future__ import annotations

import pytest

from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route, parse_route
from nproxy_mw.upstream.targets import version_of_tarball, wire_target

LODASH = Name("", "lodash")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/lodash", "/lodash"),
        ("/@types/node", "/@types%2fnode"),
        ("/@types/node/-rev/1-a", "/@types%2fnode/-rev/1-a"),
        ("/@types/node/-/node-1.0.0.tgz", "/@types/node/-/node-1.0.0.tgz"),
        ("/@types/node/-/@types/node-1.0.0.tgz", "/@types/node/-/node-1.0.0.tgz"),
        ("/x/-/x-1.0.0+b.tgz/-rev/1", "/x/-/x-1.0.0+b.tgz/-rev/1"),
        ("/-/package/@types/node/dist-tags", "/-/package/@types%2fnode/dist-tags"),
        ("/-/package/x/dist-tags/next", "/-/package/x/dist-tags/next"),
        ("/-/npm/v1/attestations/@types/node@1.0.0", "/-/npm/v1/attestations/@types/node@1.0.0"),
        ("/-/npm/v1/keys", "/-/npm/v1/keys"),
        ("/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/advisories/bulk"),
        ("/-/npm/v1/security/audits", "/-/npm/v1/security/audits/quick"),
    ],
)
def test_targets_are_rebuilt_from_routes(path: str, target: str) -> None:
    """With the encoded slash where npm writes one."""
    assert wire_target(parse_route(path)) == target


@pytest.mark.parametrize(
    "kind", [Kind.ROOT, Kind.UNKNOWN, Kind.PACKAGE_ASPECT, Kind.SEARCH, Kind.WHOAMI, Kind.LOGIN, Kind.TOKENS]
)
def test_other_kinds_have_no_target(kind: Kind) -> None:
    """What is not in the table cannot be sent, even by mistake."""
    with pytest.raises(KeyError):
        wire_target(Route(kind, LODASH))


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("lodash-1.0.0.tgz", "1.0.0"),
        ("lodash-1.0.0-beta.1.tgz", "1.0.0-beta.1"),
        ("other-1.0.0.tgz", ""),
        ("lodash-1.0.0.zip", ""),
    ],
)
def test_version_stands_in_the_file_name(filename: str, version: str) -> None:
    """After the package's own name, which may hold dashes itself."""
    assert version_of_tarball(LODASH, filename) == version
