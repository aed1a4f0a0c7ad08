"""Full, read-only or absent storage, and clocks that differ: clear answers, nothing lost, and no restart needed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.invariants import assert_readable, is_harmless
from support.registry import RegistryFixture, publish

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.locks import FileLocks, ThreadLocks
from nproxy_mw.upkeep.check import check

PAGE = 4096  # bytes; what a file takes at least


class SmallDisk:
    """A file system in memory with room for little."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, *options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", self.folder], check=True)

    def leave_free(self, size: int) -> None:
        """Fills the disk up to *size* bytes."""
        ballast = self.folder / "ballast"
        ballast.unlink(missing_ok=True)
        status = os.statvfs(self.folder)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - size)

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 4 MB; only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    made = SmallDisk(tmp_path)
    try:
        made.mount("size=4m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not let us mount a small disk")
    yield made
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.fixture
def acme(disk: SmallDisk) -> RegistryFixture:
    """A registry on that disk."""
    store = disk.folder / "store"
    return RegistryFixture(LocalStorage(store), locks=FileLocks(store / ".locks" / "names"))


def assert_sound(acme: RegistryFixture) -> None:
    assert_readable(acme.organization)
    assert [str(finding) for finding in check(acme.storage) if not is_harmless(finding)] == []


def test_full_disk_at_any_point_loses_nothing(disk, acme):
    """Wherever in a publish the disk fills up: 503 or stored, never half; with room made, the same request works."""
    client = acme.client()
    answers = []
    for number in range(24):
        disk.leave_free(number * PAGE)
        answer = publish(client, "@acme/utils", f"1.0.{number}", files={"blob": os.urandom(3 * PAGE)})
        answers.append(answer.status)
        stored = client.get("/@acme%2futils").status == 200 and client.get(f"/@acme/utils/1.0.{number}").status == 200
        assert stored == (answer.status == 201)
        if answer.status != 201:
            assert answer.status == 503
            assert "full" in answer.error
            assert int(answer.headers["retry-after"]) > 0
        assert_sound(acme)
        disk.make_room()
        again = publish(client, "@acme/utils", f"1.0.{number}", files={"blob": os.urandom(3 * PAGE)})
        assert again.status == (409 if answer.status == 201 else 201)
    assert {201, 503} == set(answers)
    assert_sound(acme)


def test_full_disk_leaves_no_temporary_files(disk, acme):
    """What could not be written whole takes no room."""
    client = acme.client()
    disk.leave_free(2 * PAGE)
    assert publish(client, files={"blob": os.urandom(20 * PAGE)}).status == 503
    assert list((disk.folder / "store").rglob(".new-*")) == []


def test_readonly_folder_is_read_and_told_of(disk, acme):
    """On a read-only disk installs go on, a publish says why it cannot, and works once the disk is writable."""
    client = acme.client()
    assert publish(client, version="1.0.0").status == 201
    disk.mount("remount", "ro")
    assert client.get("/@acme%2futils").status == 200
    assert client.get("/@acme/utils/-/utils-1.0.0.tgz").status == 200
    answer = publish(client, version="1.1.0")
    assert answer.status == 503
    assert "read-only" in answer.error
    assert int(answer.headers["retry-after"]) > 0
    disk.mount("remount", "rw")
    assert publish(client, version="1.1.0").status == 201
    assert_sound(acme)


def test_vanished_folder_is_no_empty_registry(disk, acme):
    """When the disk is gone, internal names are still not asked of the upstream; when it is back, all is there."""
    client = acme.client()
    assert publish(client, version="1.0.0").status == 201
    store = disk.folder / "store"
    store.rename(disk.folder / "elsewhere")
    assert client.get("/@acme%2futils").status in (401, 503)
    assert acme.stranger().get("/@acme%2futils").status == 503
    assert acme.upstream.asked == []
    (disk.folder / "elsewhere").rename(store)
    assert client.get("/@acme%2futils").status == 200


def test_damaged_record_is_told_of():
    """A record that cannot be read is 503 with a sentence that says what to do; other packages are served."""
    acme = RegistryFixture()
    client = acme.client()
    assert publish(client, "@acme/utils").status == publish(client, "@acme/other").status == 201
    key = "orgs/default/packages/@acme/utils/record.json"
    acme.storage.replace(key, b"{", acme.storage.read(key).revision)
    for answer in (client.get("/@acme%2futils"), publish(client, "@acme/utils", "2.0.0")):
        assert (answer.status, answer.code) == (503, "damaged-object")
        assert "nproxy-mw check" in answer.error
    assert client.get("/@acme%2fother").status == 200


def test_clocks_that_differ_keep_the_order():
    """Hosts whose clocks are hours apart: ``modified`` moves forward with each change, and the chains verify."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    houses = [
        RegistryFixture(storage, clock=lambda hours=hours: start + timedelta(hours=hours))
        for hours in (0, 5, -5, 24, -24)
    ]
    name, seen = parse_name("@acme/utils"), []
    for number in range(20):
        acme = houses[number % len(houses)]
        assert publish(acme.client(), version=f"1.0.{number}").status == 201
        seen.append(acme.packages.read(name)[0]["time"]["modified"])
    assert seen == sorted(set(seen))
    assert [str(finding) for finding in check(storage)] == []


@pytest.mark.e2e
def test_engine_that_hangs_is_told_of_and_waited_for(engine, s3_url):
    """An S3 engine that stops answering: 503 with Retry-After well before a server loses patience; then it goes on."""
    acme = RegistryFixture(open_storage(f"{s3_url}/{uuid.uuid4().hex}", freshness=0))
    client = acme.client()
    assert publish(client, version="1.0.0").status == 201
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        answer = publish(client, version="1.1.0")
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert publish(client, version="1.1.0").status in (201, 409)
    assert_sound(acme)


@pytest.mark.e2e
def test_engine_that_pauses_delays_only(engine, s3_url):
    """An S3 engine that stands still for two seconds fails nobody."""
    acme = RegistryFixture(open_storage(f"{s3_url}/{uuid.uuid4().hex}", freshness=0), locks=ThreadLocks())
    client = acme.client()
    os.kill(engine.pid, signal.SIGSTOP)
    going_on = threading.Timer(2.0, os.kill, (engine.pid, signal.SIGCONT))
    going_on.start()
    try:
        assert publish(client, version="1.0.0").status == 201
    finally:
        going_on.join()
    assert_sound(acme)


@pytest.mark.e2e
def test_absent_engine_is_told_of(s3_url, monkeypatch):
    """Where nothing listens, that is said with a time to come again, and not one word of where it was looked for."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lost = open_organization(open_storage(f"{s3_url}/x", freshness=0), ThreadLocks())
    with pytest.raises(StorageUnavailable) as raised:
        lost.packages.read(parse_name("@acme/utils"))
    assert raised.value.retry_after > 0
    assert "127.0.0.1" not in str(raised.value)
