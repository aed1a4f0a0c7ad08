"""A package as pages look at it: the same as the whole one, and decoded only where it is looked at; and its size."""

from __future__ import annotations

import pytest
from support.packages import ANN, NAME, SMALL, memory, packages_on, publication
from support.parts import own

from nproxy_mw.errors import NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.packages import browsing, records
from nproxy_mw.packages.record import Record, decode, encode
from nproxy_mw.packages.search.records import PackageRecords
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.swaps import overwrite

VERSIONS = ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "1.11.0", "0.9.0", "1.2.0", "2.0.0"]


@pytest.fixture
def storage() -> Storage:
    return memory()


@pytest.fixture
def packages(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> PackageStore:
    """A package of eight versions, most of which are in parts, and so is the start of its history."""
    monkeypatch.setattr(records, "BOUNDS", SMALL)
    packages = packages_on(storage)
    for version in VERSIONS:
        packages.publish(publication(version), ANN)
    for version in ("1.0.0", "1.9.0", "1.2.0"):
        packages.tag(NAME, "beta", version, ANN)
    assert own(packages).version_parts
    assert own(packages).event_parts
    return packages


def test_it_is_what_the_whole_package_is(packages: PackageStore) -> None:
    """Versions by number, each with its manifest and its time, and the tags."""
    package, (whole, _) = packages.browse(NAME), packages.read(NAME)
    assert package.versions == ["2.0.0", "2.0.0-rc.1", "1.11.0", "1.10.0", "1.9.0", "1.2.0", "1.0.0", "0.9.0"]
    assert {version: package.manifest(version) for version in package.versions} == whole["versions"]
    assert {version: package.published(version) for version in whole["time"]} == whole["time"]
    assert package.tags == whole["dist-tags"]
    assert package.published("7.0.0") == ""
    with pytest.raises(KeyError):
        package.manifest("7.0.0")


def test_history(packages: PackageStore) -> None:
    """The last events, the newest first, however they are spread; and those of one kind from all of it."""
    chain = packages.record(NAME)[0].chain
    package = packages.browse(NAME)
    for number in (1, 3, len(chain) - 1, len(chain), len(chain) + 9):
        assert list(package.newest_events(number)) == list(reversed(chain))[:number]
    assert package.events_of("package.tagged") == [event for event in chain if event["event"] == "package.tagged"]
    assert package.events_of("package") == []


def test_only_what_is_looked_at_is_decoded(packages: PackageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of versions, a page shows fifty."""
    decoded: list[bytes] = []
    real = browsing.msgspec.json.decode

    def counted(raw: bytes) -> Json:
        decoded.append(raw)
        found: Json = real(raw)
        return found

    package = packages.browse(NAME)
    monkeypatch.setattr(browsing.msgspec.json, "decode", counted)
    assert len(package.versions) == len(VERSIONS)
    package.manifest("0.9.0")
    assert len(decoded) == 1


def test_unpublished_package_is_absent(packages: PackageStore) -> None:
    """As it is for `read`."""
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    with pytest.raises(NotFound):
        packages.browse(NAME)


def test_record_knows_its_size(storage: Storage, packages: PackageStore) -> None:
    """The bytes of all tarballs, also of those that its parts list; none when it is unpublished."""
    tarballs = packages.record(NAME)[0].tarballs
    assert own(packages).tarball_bytes == sum(entry["size"] for entry in tarballs.values()) > 0
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert own(packages).tarball_bytes == 0


def test_parts_that_an_earlier_version_wrote_are_read_for_it(storage: Storage, packages: PackageStore) -> None:
    """They do not say how many bytes they stand for."""
    size, record = own(packages).tarball_bytes, own(packages)
    old = encode(record).replace(b',"tarballs":null', b"")
    for ref in record.version_parts:
        old = old.replace(b',"tarballs":%d}' % (ref.tarballs or 0), b"}")
    overwrite(storage, RECORD.key(NAME), old)
    stored: Record = decode(storage.read(RECORD.key(NAME)).data)
    assert stored.tarball_bytes is None
    (entry,) = PackageRecords(storage, threads=1).read({str(NAME): None}).entries.values()
    assert entry is not None
    assert entry.size == size
