"""Bad archives and bodies, through the whole stack: refused, and the folder is as it was."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from support.refusals import PACKAGE, RAW, UTILS, gz, refused, with_tarball
from support.registry import RegistryFixture

from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import locks_for

# Decompression


def tar(*members, package=PACKAGE, mode="w", fmt=tarfile.PAX_FORMAT):
    """A tarball with package.json first and *members*, pairs of what to change of a TarInfo and its bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=fmt) as archive:
        for change, data in [({"name": "package/package.json"}, json.dumps(package).encode()), *members]:
            info = tarfile.TarInfo()
            info.size = len(data)
            for key, value in change.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def deep_paths():
    return ((({"name": f"package/{number}/" + "a/" * 400 + "x"}), b"") for number in range(260))


def lying_header() -> bytes:
    """An entry that says it has 10 bytes, and brings none."""
    whole = bytearray(tar(({"name": "package/x"}, b"0123456789")))
    return bytes(whole[:1536])


GZIPPED = gz(tar())
BOMBS = {
    "no gzip": tar(),
    "empty": b"",
    "gzip of nothing": gz(b""),
    "gzip of no tar": gz(b"x" * 5000),
    "gzip twice": gz(GZIPPED),
    "cut": GZIPPED[:-20],
    "two members": GZIPPED + GZIPPED,
    "bytes behind": GZIPPED + b"x",
    "false checksum": GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:],
    "64 MB of zeros": gz(tar(({"name": "package/x"}, bytes(64 * 2**20)))),
    "zeros behind the archive": gz(tar() + bytes(64 * 2**20)),
    "100,000 folders": gz(tar(*deep_paths())),
    "cut within an entry": gz(lying_header()),
    "cut within the package.json": gz(tar()[:600]),
}


@pytest.mark.parametrize("what", BOMBS)
def test_archive_that_is_made_to_hurt_is_refused(kept, what):
    """Caps on what comes out, on its ratio and on the number of entries."""
    response = refused(kept, "PUT", UTILS, {400}, json=with_tarball(BOMBS[what]))
    assert response.code in {"invalid-tarball", "invalid-publication"}


@pytest.mark.parametrize(
    ("body", "encoding", "statuses"),
    [
        pytest.param(gz(bytes(60 * 2**20)), "gzip", {413}, id="bomb"),
        pytest.param(gz(gz(bytes(60 * 2**20))), "gzip", {400}, id="nested bomb"),
        pytest.param(gz(RAW)[:-4], "gzip", {400}, id="cut"),
        pytest.param(RAW, "gzip", {400}, id="not encoded"),
        pytest.param(gz(RAW), "br", {400}, id="unknown"),
        pytest.param(gz(RAW), "", {400}, id="not said"),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_encoded_body_that_is_made_to_hurt_is_refused(kept, body, encoding, statuses, chunked):
    """The limit holds for what comes out."""
    refused(kept, "PUT", UTILS, statuses, body=body, chunked=chunked, Content_Encoding=encoding)


@pytest.mark.parametrize("path", [UTILS, f"{UTILS}/-rev/1-x"])
def test_body_over_the_limit_is_refused(kept, path):
    """Announced or not."""
    environ = {"CONTENT_LENGTH": str(52_428_801)}
    response = refused(kept, "PUT", path, {413}, environ=environ)
    assert "37 MB" in response.error


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_cut_body_is_refused(kept, encoding):
    """Half a document is no document, however it was announced."""
    body = gz(RAW) if encoding else RAW
    environ = {"CONTENT_LENGTH": str(len(body) + 1)}
    refused(kept, "PUT", UTILS, {400}, body=body, environ=environ, Content_Encoding=encoding)


def test_chunked_body_that_was_not_handed_over_is_refused(kept):
    """An empty body of a server that cannot read chunks is not the client's."""
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}
    refused(kept, "PUT", UTILS, {411}, environ=environ)


# What is in a tarball


def bits(member: dict) -> bytes:
    return gz(tar((member, b"")))


TARS = {
    "absolute path": bits({"name": "/etc/passwd"}),
    "..": bits({"name": "package/../../x"}),
    "outside": bits({"name": "other/x"}),
    "backslash": bits({"name": "package\\..\\x"}),
    "drive": bits({"name": "package/C:/x"}),
    "line break": bits({"name": "package/a\nb"}),
    "NUL": gz(tar().replace(b"package/package.json\0", b"package/package.json\0x", 1)),
    "symbolic link": bits({"name": "package/x", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
    "hard link": bits({"name": "package/x", "type": tarfile.LNKTYPE, "linkname": "package/package.json"}),
    "device": bits({"name": "package/x", "type": tarfile.CHRTYPE}),
    "block device": bits({"name": "package/x", "type": tarfile.BLKTYPE}),
    "pipe": bits({"name": "package/x", "type": tarfile.FIFOTYPE}),
    "unknown kind": bits({"name": "package/x", "type": b"Z"}),
    "setuid": bits({"name": "package/x", "mode": 0o4755}),
    "setgid": bits({"name": "package/x", "mode": 0o2755}),
    "package.json twice": gz(tar(({"name": "package/package.json"}, b"{}"))),
    "package.json in another case": gz(tar(({"name": "package/PACKAGE.json"}, b"{}"))),
    "package.json with a full-width letter": gz(tar(({"name": "package/ｐackage.json"}, b"{}"))),
    "file and folder": gz(tar(({"name": "package/x"}, b""), ({"name": "package/x/y"}, b""))),
    "PAX path": gz(tar(({"name": "package/x", "pax_headers": {"path": "../../x"}}, b""))),
    "PAX size": gz(tar(({"name": "package/x", "pax_headers": {"size": "99"}}, b""))),
    "PAX sparse": gz(tar(({"name": "package/x", "pax_headers": {"GNU.sparse.size": "999999999"}}, b""))),
    "PAX link": gz(tar(({"name": "package/x", "pax_headers": {"linkpath": "/etc/passwd"}}, b""))),
    "no package.json": gz(tar(package=PACKAGE).replace(b"package/package.json", b"package/package.JSON")),
    "other name": gz(tar(package={**PACKAGE, "name": "@acme/other"})),
    "other version": gz(tar(package={**PACKAGE, "version": "9.9.9"})),
    "hidden script": gz(tar(package={**PACKAGE, "scripts": {"postinstall": "evil"}})),
    "hidden dependency": gz(tar(package={**PACKAGE, "dependencies": {"evil": "1"}})),
    "hidden bin": gz(tar(package={**PACKAGE, "bin": {"npm": "evil.js"}})),
    "package.json no object": gz(tar(package=[])),
}


@pytest.mark.parametrize("what", TARS)
def test_tarball_that_is_not_plain_is_refused(kept, what):
    """Nothing that two readers would unpack differently is taken in."""
    refused(kept, "PUT", UTILS, {400}, json=with_tarball(TARS[what]))


def test_plain_tarball_of_the_same_make_is_taken(tmp_path):
    """This file makes good tarballs, too: each refusal above is about its own difference."""
    acme = RegistryFixture(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    members = (({"name": "package/x"}, b"x"), ({"name": "package/lib", "type": tarfile.DIRTYPE}, b""))
    assert acme.client().put(UTILS, with_tarball(gz(tar(*members)))).status == 201
