"""Verifications: what one process of a host verified, the others need not read to its end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nproxy_mw.errors import Missing
from nproxy_mw.npm.names import parse_name
from nproxy_mw.storage import LocalStorage
from nproxy_mw.upstream import tarball_store, verifications
from nproxy_mw.upstream.file_states import FileState
from nproxy_mw.upstream.tarball_store import TarballStore, key_of
from nproxy_mw.upstream.verifications import TRUST, Verifications, Verified
from nproxy_mw.upstream.verifying import Digest

KEY = key_of(parse_name("lodash"), "lodash-1.0.0.tgz")
DATA = b"a tarball"
STATE = FileState(7, 1_700_000_000_000_000_000, 9)
DIGEST = "sha512-" + "x" * 88


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "cache", durable=False)


@pytest.fixture
def read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests that files were compared with."""
    compared: list[str] = []
    has_digest = tarball_store._has_digest
    monkeypatch.setattr(
        tarball_store, "_has_digest", lambda file, seal: compared.append(seal.digest) or has_digest(file, seal)
    )
    return compared


def process(storage: LocalStorage, tmp_path: Path, boot: str = "a") -> TarballStore:
    """A store as one process of the host has it."""
    return TarballStore(storage, Verifications(tmp_path / "spool", boot=boot))


def digest() -> Digest:
    return Digest("sha512", hashlib.sha512(DATA).digest())


def read(store: TarballStore) -> bytes:
    with store.open(KEY, None) as blob:
        assert blob.integrity == str(digest())
        return b"".join(blob)


@pytest.mark.parametrize("is_adopted", [False, True])
def test_what_was_just_kept_is_read_to_the_end_by_nobody(
    storage: LocalStorage, tmp_path: Path, read_to_the_end: list[str], is_adopted: bool
) -> None:
    """The process that kept it verified the bytes, and the others find that out without the seal."""
    if is_adopted:
        (tmp_path / "fetched").write_bytes(DATA)
        process(storage, tmp_path).adopt(KEY, tmp_path / "fetched", digest())
    else:
        process(storage, tmp_path).create(KEY, DATA, digest())
    assert [read(process(storage, tmp_path)) for _ in range(2)] == [DATA, DATA]
    assert read_to_the_end == []


def test_what_one_process_verified_the_next_one_need_not(
    storage: LocalStorage, tmp_path: Path, read_to_the_end: list[str]
) -> None:
    """After a start of the host, one process reads a tarball to its end."""
    process(storage, tmp_path).create(KEY, DATA, digest())
    assert [read(process(storage, tmp_path, "after a power cut")) for _ in range(3)] == [DATA] * 3
    assert read_to_the_end == [str(digest())]


@pytest.mark.parametrize("damage", ["written", "replaced", "replaced at the same time"])
def test_changed_file_is_noticed_by_every_process(storage: LocalStorage, tmp_path: Path, damage: str) -> None:
    """It is removed and never served, in whatever way it was changed."""
    process(storage, tmp_path).create(KEY, DATA, digest())
    file = storage.root / KEY
    before = file.stat()
    if damage == "written":
        with file.open("r+b") as opened:
            opened.write(b"A")
    else:
        (tmp_path / "other").write_bytes(b"A" + DATA[1:])
        (tmp_path / "other").replace(file)
        if damage == "replaced at the same time":
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Missing):
        read(process(storage, tmp_path))


def test_note_counts_for_its_key_and_state_alone(tmp_path: Path) -> None:
    """Another tarball, another inode, time or size, and another boot find nothing."""
    notes = Verifications(tmp_path, boot="a")
    notes.note("one", Verified(STATE, DIGEST))
    assert notes.find("one", STATE) == Verifications(tmp_path, boot="a").find("one", STATE) == Verified(STATE, DIGEST)
    assert notes.find("two", STATE) is None
    for other in (STATE._replace(inode=8), STATE._replace(modified=1), STATE._replace(size=8)):
        assert notes.find("one", other) is None
    assert Verifications(tmp_path, boot="b").find("one", STATE) is None


def test_no_disk_is_believed_for_ever(tmp_path: Path) -> None:
    """Nor a clock that was put back."""
    Verifications(tmp_path, boot="a", now=lambda: 1000.0).note("one", Verified(STATE, DIGEST))
    for now, is_believed in ((999.0, False), (1000.0, True), (999.0 + TRUST, True), (1000.0 + TRUST, False)):
        assert (
            Verifications(tmp_path, boot="a", now=lambda now=now: now).find("one", STATE) is not None
        ) == is_believed


def test_damaged_note_counts_as_none(tmp_path: Path) -> None:
    """Two writers at once may leave half of each."""
    notes = Verifications(tmp_path, boot="a")
    notes.note("one", Verified(STATE, DIGEST))
    data = bytearray(notes.path.read_bytes())
    data[-10] ^= 1
    notes.path.write_bytes(data)
    assert notes.find("one", STATE) is None


def test_tarballs_that_share_a_slot_push_each_other_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is taken for the other."""
    monkeypatch.setattr(verifications, "SLOTS", 1)
    notes = Verifications(tmp_path, boot="a")
    for key in ("one", "two"):
        notes.note(key, Verified(STATE, DIGEST))
    assert (notes.find("one", STATE), notes.find("two", STATE)) == (None, Verified(STATE, DIGEST))


def test_each_process_verifies_for_itself_where_nothing_can_be_noted(tmp_path: Path) -> None:
    """Without a name for the boot, without a folder, and for a digest of an odd length."""
    (tmp_path / "file").touch()
    for notes in (Verifications(tmp_path, boot=""), Verifications(tmp_path / "file", boot="a")):
        notes.note("one", Verified(STATE, DIGEST))
        assert notes.find("one", STATE) is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    notes = Verifications(tmp_path, boot="a")
    notes.note("one", Verified(STATE, "x" * 107))
    assert notes.find("one", STATE) is None
