"""Entries of a tar archive that readers differ on: each is refused."""

from __future__ import annotations

import pytest
from support.raw_tar import LONG, entry, package, packed, records

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.tarballs import inspect


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(entry(kind=b"1", link=b"/etc/passwd"), id="hard link"),
        pytest.param(entry(kind=b"2", link=b"../../x"), id="symbolic link"),
        pytest.param(entry(kind=b"3"), id="character device"),
        pytest.param(entry(kind=b"4"), id="block device"),
        pytest.param(entry(kind=b"6"), id="named pipe"),
        pytest.param(entry(kind=b"7"), id="contiguous file"),
        pytest.param(entry(kind=b"S"), id="sparse file"),
        pytest.param(entry(kind=b"K", data=b"x\0"), id="long link"),
        pytest.param(entry(kind=b"Z"), id="unknown kind"),
        pytest.param(entry(mode=b"0004755\0"), id="setuid"),
        pytest.param(entry(mode=b"0002755\0"), id="setgid"),
        pytest.param(entry(mode=b"9999999\0"), id="mode not octal"),
        pytest.param(entry(size=b"-0000000001\0"), id="negative size"),
        pytest.param(entry(size=b"\xff" * 12), id="negative size in binary"),
        pytest.param(entry(size=b"\x80" + bytes(10) + b"\1", data=b"x"), id="size in binary"),
        pytest.param(entry(size=b"\0" * 12), id="no size"),
        pytest.param(entry(size=b"77777777777\0"), id="a size beyond the end"),
        pytest.param(entry(size=b"00000002000\0", data=b"x") + package(), id="a size over the next header"),
        pytest.param(entry(checksum=b"000000\0 "), id="wrong checksum"),
        pytest.param(entry(magic=bytes(8)), id="old tar"),
        pytest.param(entry(kind=b"x", data=records(path=LONG, size="0")) + entry(data=b"abc"), id="PAX size"),
        pytest.param(entry(kind=b"x", data=records(linkpath="/x")) + entry(), id="PAX link"),
        pytest.param(entry(kind=b"x", data=records(GNU_sparse_major="1")) + entry(), id="PAX sparse"),
        pytest.param(entry(kind=b"x", data=records(SCHILY_realsize="1")) + entry(), id="PAX real size"),
        pytest.param(entry(kind=b"x", data=records(hdrcharset="KOI8")) + entry(), id="PAX character set"),
        pytest.param(entry(kind=b"x", data=records(comment="a\n19 path=package/b")) + entry(), id="PAX hidden line"),
        pytest.param(entry(kind=b"x", data=b"19 path=package/b\n" * 2) + entry(), id="PAX key twice"),
        pytest.param(entry(kind=b"x", data=b"99 path=package/b\n") + entry(), id="PAX length too long"),
        pytest.param(entry(kind=b"x", data=b"7 path=package/b\n") + entry(), id="PAX length too short"),
        pytest.param(entry(kind=b"x", data=b"rubbish") + entry(), id="PAX rubbish"),
        pytest.param(entry(kind=b"x", data=b"9 \xff\xff\xff\xff=a\n") + entry(), id="PAX key not UTF-8"),
        pytest.param(entry(kind=b"x", data=records(path="package/a\0b")) + entry(), id="PAX path with NUL"),
        pytest.param(entry(kind=b"x", data=records(comment="x" * 70_000)) + entry(), id="PAX too long"),
        pytest.param(entry(kind=b"x", data=records(path=LONG)) * 2 + entry(), id="PAX twice"),
        pytest.param(
            entry(kind=b"x", data=records(path=LONG)) + entry(kind=b"L", data=b"package/x") + entry(), id="two names"
        ),
        pytest.param(entry(kind=b"x", data=records(path=LONG)), id="PAX for no entry"),
        pytest.param(entry(kind=b"g", data=records(path=LONG)) + entry(), id="global path"),
        pytest.param(entry(b"/package/x"), id="absolute"),
        pytest.param(entry(b"package//etc/passwd"), id="absolute within"),
        pytest.param(entry(b"package/../../x"), id="dots"),
        pytest.param(entry(b"../x"), id="dots first"),
        pytest.param(entry(b"./package/x"), id="dot first"),
        pytest.param(entry(b"package/./x", b"1") + entry(b"package/x", b"2"), id="a dot makes another of it"),
        pytest.param(entry(b"package/x", b"1") + entry(b"package/././x", b"2"), id="dots make another of it"),
        pytest.param(entry(b"package/a\\..\\..\\x"), id="backslashes"),
        pytest.param(entry(b"package/C:/x"), id="drive letter"),
        pytest.param(entry(b"package/a\nb"), id="line break"),
        pytest.param(entry(b"package/a\x7fb"), id="DEL"),
        pytest.param(entry(b"package/a\0b"), id="NUL in the name"),
        pytest.param(entry(b"package/\xff"), id="name not UTF-8"),
        pytest.param(entry(b""), id="no name"),
        pytest.param(entry(b"package"), id="a file named package"),
        pytest.param(entry(b"other/index.js"), id="another root"),
        pytest.param(entry(b"other/package.json", b"{}"), id="package.json under another root"),
        pytest.param(entry(b"package.json", b"{}"), id="package.json at the top"),
        pytest.param(package(), id="package.json twice"),
        pytest.param(entry(b"./package/package.json", b"{}"), id="package.json with a dot"),
        pytest.param(entry(b"package/Package.JSON", b"{}"), id="package.json in capitals"),
        pytest.param(entry("package/pac\u212aage.json".encode(), b"{}"), id="package.json with a Kelvin sign"),
        pytest.param(entry("package/package\u200c.json".encode(), b"{}"), id="package.json with a joiner"),
        pytest.param(entry(b"package/package.json.", b"{}"), id="package.json with a dot behind"),
        pytest.param(entry(b"package/PACKAGE.json/x", b"{}"), id="package.json in capitals as a folder"),
        pytest.param(entry(b"package/package.json/x", b"{}"), id="package.json as a folder"),
        pytest.param(entry(b"package/package.json", kind=b"5"), id="package.json as a folder entry"),
        pytest.param(entry(b"package/a") + entry(b"package/a/b"), id="a file that is a folder"),
        pytest.param(entry(b"package/a/b") + entry(b"package/a"), id="a folder that is a file"),
        pytest.param(entry(b"package/a") * 2, id="a file twice"),
        pytest.param(entry(b"package/a/"), id="a file with a slash"),
        pytest.param(entry(b"package/a", kind=b"5", data=b"x"), id="a folder with bytes"),
        pytest.param(entry(b"package//", kind=b"5"), id="a folder with two slashes"),
        pytest.param(entry(kind=b"L", data=b"package/" + b"x" * 2000) + entry(), id="a path too long"),
    ],
)
def test_inspect_refuses_what_readers_differ_on(bad: bytes) -> None:
    """A second entry that is not plain is refused, although the first one is a good package.json."""
    with pytest.raises(BadRequest, match=r"^The tarball .+\.$"):
        inspect(packed(package(), bad))


@pytest.mark.parametrize("key", ["path", "size"])
def test_extended_header_that_says_two_things_is_refused(key: str) -> None:
    """Readers take the first or the last of two records; where both say the same, nobody reads anything else."""
    path = {"path": LONG, "size": "0"}[key]
    one, other = records(**{key: path}), records(**{key: {"path": "package/other.js", "size": "00"}[key]})
    assert inspect(packed(package(), entry(kind=b"x", data=one + one), entry())).file_count == 2
    with pytest.raises(BadRequest, match=f"'{key}' twice"):
        inspect(packed(package(), entry(kind=b"x", data=one + other), entry()))
