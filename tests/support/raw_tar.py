"""Tar archives built byte by byte, so that a test can lie in any field."""

from __future__ import annotations

import gzip

PACKAGE_JSON = b'{"name":"@acme/utils","version":"1.0.0"}'
LONG = "package/" + "d" * 90 + "/" + "f" * 90 + ".js"
"""A path that does not fit into a header's name."""


def entry(
    name: bytes = b"package/index.js",
    data: bytes = b"",
    *,
    kind: bytes = b"0",
    size: bytes | None = None,
    mode: bytes = b"0000644\0",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    link: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header and its data; *size* is the field as it stands in the header."""
    field = b"%011o\0" % len(data) if size is None else size
    header = bytearray(512)
    for at, value in ((0, name), (100, mode), (124, field), (156, kind), (157, link), (257, magic), (345, prefix)):
        header[at : at + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header) if checksum is None else checksum
    return bytes(header) + data + bytes(-len(data) % 512)


def records(**values: str) -> bytes:
    """The body of a PAX header; ``_`` in a key stands for a dot."""
    body = b""
    for key, value in values.items():
        rest = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        body += str(length).encode() + rest
    return body


def package(data: bytes = PACKAGE_JSON) -> bytes:
    """The entry of package/package.json."""
    return entry(b"package/package.json", data)


def packed(*entries: bytes, end: bytes = bytes(1024)) -> bytes:
    """A tarball of these entries."""
    return gzip.compress(b"".join(entries) + end, mtime=0)
