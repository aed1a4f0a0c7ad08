"""Tarballs: what is found in a plain one, and that no other comes through."""

from __future__ import annotations

import gzip
import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.costs import least_memory, least_work
from support.raw_tar import LONG, PACKAGE_JSON, entry, package, packed, records

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm import gunzip, tar_entries
from nproxy_mw.npm.tarballs import MAX_ENTRIES, MAX_PACKAGE_JSON, inspect
from nproxy_mw.testing.documents import tarball


def test_inspect_finds_what_a_package_holds() -> None:
    """Files are counted, their sizes summed, and package.json is read."""
    contents = inspect(tarball({"name": "a", "version": "1.0.0"}, {"a.js": "12345", "lib/x.gyp": "", "é/日": "1"}))
    assert contents.package_json == {"name": "a", "version": "1.0.0"}
    assert contents.file_count == 4
    assert contents.unpacked_size == 6 + len('{\n  "name": "a",\n  "version": "1.0.0"\n}\n')
    assert contents.root_files == {"package.json", "a.js"}
    assert not contents.has_shrinkwrap
    assert not contents.has_gyp


def test_inspect_sees_the_files_that_change_an_install() -> None:
    """A lock of the package's own and a node-gyp build are seen beside package.json."""
    contents = inspect(tarball({}, {"npm-shrinkwrap.json": "{}", "binding.gyp": "{}"}))
    assert contents.has_shrinkwrap
    assert contents.has_gyp


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(entry(b"package/", kind=b"5", mode=b"0040755\0"), package()), id="folder entries"),
        pytest.param(packed(package(), entry(b"package/a", kind=b"\0")), id="a file of the old kind"),
        pytest.param(packed(package(), entry(kind=b"x", data=records(path=LONG)), entry(LONG[:99].encode())), id="PAX"),
        pytest.param(
            packed(package(), entry(kind=b"x", data=records(path=LONG, size="3", mtime="1.5")), entry(data=b"abc")),
            id="PAX with the header's own size",
        ),
        pytest.param(packed(entry(kind=b"g", data=records(comment="c0ffee")), package()), id="a global comment"),
        pytest.param(packed(package(), entry(kind=b"L", data=LONG.encode() + b"\0"), entry()), id="GNU long name"),
        pytest.param(packed(package(), entry(magic=b"ustar  \0")), id="GNU header"),
        pytest.param(packed(package(), entry(b"f.js", prefix=b"package/lib")), id="prefix"),
        pytest.param(packed(package(b"\xef\xbb\xbf" + PACKAGE_JSON)), id="a byte order mark"),
        pytest.param(packed(package(), end=bytes(10240)), id="padded to ten KiB"),
        pytest.param(packed(package(), entry(b"package/node_modules/a/package.json", b"{}")), id="bundled package"),
        pytest.param(packed(package(), entry(b"package/A.js"), entry(b"package/a.js")), id="names that differ in case"),
    ],
)
def test_inspect_takes_what_clients_write(data: bytes) -> None:
    """Every form that a client writes is read."""
    assert inspect(data).package_json["name"] == "@acme/utils"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not gzip", id="not gzip"),
        pytest.param(packed(package())[:-1], id="cut in the trailer"),
        pytest.param(packed(package())[:40], id="cut in the middle"),
        pytest.param(packed(package()) + b"x", id="a byte behind"),
        pytest.param(packed(package()) + packed(package()), id="two members"),
        pytest.param(packed(package())[:-8] + bytes(8), id="wrong checksum of gzip"),
        pytest.param(gzip.compress(b""), id="empty gzip"),
        pytest.param(gzip.compress(b"hello"), id="gzip of no tar"),
        pytest.param(gzip.compress(packed(package())), id="gzip of gzip"),
        pytest.param(packed(), id="no entries"),
        pytest.param(packed(package(), end=entry(data=b"x")[:512]), id="cut within an entry"),
        pytest.param(packed(package(), end=entry()[:100]), id="cut within a header"),
        pytest.param(packed(package()) + bytes(512) + b"x", id="a byte behind zeros"),
        pytest.param(packed(package(), end=bytes(512) + entry() + bytes(1024)), id="an entry behind half a marker"),
        pytest.param(packed(package(), end=bytes(1024) + package() + bytes(1024)), id="a second archive"),
        pytest.param(packed(package(), end=bytes(9000) + b"x"), id="a byte behind the marker"),
    ],
)
def test_inspect_refuses_what_is_not_one_archive(data: bytes) -> None:
    """One gzip member, one archive, and nothing behind either."""
    with pytest.raises(BadRequest, match=r"^The tarball .+\.$"):
        inspect(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"name":"a","name":"b"}', id="a key twice"),
        pytest.param(b'{"__proto__":{}}', id="__proto__"),
        pytest.param(b"\xff\xfe{\0}\0", id="UTF-16"),
        pytest.param(b'{"a":"' + b" " * MAX_PACKAGE_JSON + b'"}', id="too large"),
    ],
)
def test_inspect_refuses_a_package_json_that_is_none(data: bytes) -> None:
    """package/package.json is a JSON object with one reading."""
    with pytest.raises(BadRequest, match=r"package\.json"):
        inspect(packed(package(data)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(entry(b"node/package.json", PACKAGE_JSON), entry(b"node/a")), id="another top folder"),
        pytest.param(packed(package()) + bytes(512), id="zeros behind the gzip member"),
        pytest.param(packed(package(), end=b""), id="no end-of-archive marker"),
        pytest.param(packed(package(), end=bytes(512)), id="half an end-of-archive marker"),
        pytest.param(packed(package(), entry(b"package/./a", b"1"), entry(b"package/a", b"1")), id="equal twins"),
        pytest.param(packed(entry(kind=b"x", data=records(RHT_security="a\nb")), package()), id="a PAX note"),
        pytest.param(packed(entry(kind=b"g", data=records(RHT_note="a")), package()), id="a global PAX note"),
        pytest.param(packed(package(PACKAGE_JSON[:-1] + b',"version":"1.0.0"}')), id="an equal key twice"),
    ],
)
def test_inspect_takes_what_every_reader_reads_alike(data: bytes) -> None:
    """What is unusual but has one reading is taken; each of these occurs in packages of the public registry."""
    contents = inspect(data)
    assert contents.package_json == {"name": "@acme/utils", "version": "1.0.0"}
    assert contents.file_count == len(contents.root_files)


def test_inspect_misses_package_json() -> None:
    """A tarball without a package.json in its top folder is refused."""
    with pytest.raises(BadRequest, match=r"no package\.json in its top folder"):
        inspect(packed(entry()))


def test_inspect_refuses_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders are counted, also the folders that a path only implies."""
    monkeypatch.setattr("nproxy_mw.npm.tarballs.MAX_ENTRIES", 5)
    files = {f"a/b/{number}": "" for number in range(2)}
    with pytest.raises(BadRequest, match="more than 5"):
        inspect(tarball({}, files))
    assert MAX_ENTRIES == 100_000


def bomb(size: int) -> bytes:
    """A tarball with one file of zeros."""
    archive = io.BytesIO()
    with gzip.GzipFile(fileobj=archive, mode="wb", mtime=0) as member:
        member.write(package() + entry(b"package/zeros", size=b"%011o\0" % size))
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
        member.write(bytes(1024))
    return archive.getvalue()


def comments(count: int) -> bytes:
    """A PAX header with so many records."""
    return entry(b"x", b"".join(b"12 k%05x=1\n" % number for number in range(count)), kind=b"g")


@pytest.mark.parametrize(
    ("cap", "size", "data"),
    [
        pytest.param("MAX_HEADERS", 4, [package(), *[entry(b"package/", kind=b"5")] * 3], id="folders"),
        pytest.param("MAX_HEADERS", 3, [package(), comments(1), comments(1)], id="global headers"),
        pytest.param("MAX_HEADERS", 3, [package(), entry(kind=b"L", data=LONG.encode()), entry()], id="long names"),
        pytest.param("MAX_PATHS", 36, [package(), entry(b"package/index.js")], id="paths"),
        pytest.param("MAX_EXTENSIONS", 2 * (12 + 32), [package(), comments(1), comments(1)], id="records"),
        pytest.param("MAX_EXTENSIONS", 2 * (12 + 32), [package(), comments(2)], id="records of one header"),
        pytest.param(
            "MAX_EXTENSIONS",
            200,
            [package(), entry(kind=b"L", data=b"package/" + b"a" * 192), entry()],
            id="a long name",
        ),
    ],
)
def test_what_all_headers_have_together_is_bounded(
    monkeypatch: pytest.MonkeyPatch, cap: str, size: int, data: list[bytes]
) -> None:
    """Headers, paths and extended headers are counted over the archive: at the cap it is read, beyond it refused."""
    monkeypatch.setattr(tar_entries, cap, size)
    assert inspect(packed(*data)).package_json["name"] == "@acme/utils"
    monkeypatch.setattr(tar_entries, cap, size - 1)
    with pytest.raises(BadRequest, match="more headers and names"):
        inspect(packed(*data))


def test_inspect_refuses_a_bomb_by_its_ratio() -> None:
    """A file of zeros is let through while it is small, and refused before much of a large one came out."""
    assert inspect(bomb(8 * 2**20)).file_count == 2
    with pytest.raises(BadRequest, match="times its size"):
        inspect(bomb(64 * 2**20))


def test_inspect_refuses_what_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of what comes out has a cap, whatever the ratio."""
    monkeypatch.setattr(gunzip, "MAX_UNPACKED", 2**20)
    with pytest.raises(BadRequest, match="more than 1 MiB"):
        inspect(tarball({}, {"noise": random.Random(1).randbytes(2**20)}))


def test_inspect_holds_little() -> None:
    """What is unpacked is passed over in pieces, never held."""
    data = tarball({}, {"noise": random.Random(1).randbytes(8 * 2**20)})
    assert least_memory(lambda: inspect(data), 2 * 2**20) < 2 * 2**20


def test_inspect_is_fast_with_many_entries() -> None:
    """Ten thousand files take a fraction of a second of work."""
    data = packed(package(), *(entry(b"package/%d/f" % number) for number in range(10_000)))

    def read_all() -> None:
        assert inspect(data).file_count == 10_001

    assert least_work(read_all, 2) < 2


PLAIN = packed(package(), entry(data=b"hello" * 200), entry(b"package/lib/", kind=b"5"))


@given(st.integers(0, len(gzip.decompress(PLAIN)) - 1), st.integers(1, 255))
def test_a_changed_byte_never_escapes(at: int, change: int) -> None:
    """Whatever byte of an archive is changed, it is read or refused, and no other package.json comes out."""
    archive = bytearray(gzip.decompress(PLAIN))
    archive[at] ^= change
    try:
        contents = inspect(gzip.compress(archive))
    except BadRequest:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [member for member in tar if member.isfile()]
    assert contents.file_count == len(files)
    assert contents.unpacked_size == sum(member.size for member in files)


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(data: bytes) -> None:
    """Nothing but BadRequest comes out of rubbish, packed or not."""
    for rubbish in (data, gzip.compress(data)):
        with pytest.raises(BadRequest):
            inspect(rubbish)
