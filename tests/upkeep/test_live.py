"""Upkeep of a store that is being written to."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.publications import ACTOR, publish

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import COPY
from nproxy_mw.storage.locks import FileLocks
from nproxy_mw.times import utc_now
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.copy import copy
from nproxy_mw.upkeep.gc import GRACE, gc

PAUSE = threading.Event()
"""Never set: between two looks, what goes on has the processor."""


def changes(organization: Organization) -> int:
    """How often the first package was changed so far."""
    try:
        return organization.packages.record(parse_name("@acme/p0"))[0].generation
    except NotFound:
        return 0


@pytest.fixture
def busy(tmp_path) -> Iterator[Organization]:
    """An organization in a folder, where two others publish, tag and unpublish all the time."""
    storage = open_storage(str(tmp_path / "store"))
    locks = FileLocks(tmp_path / "store" / ".locks" / "names")
    over = threading.Event()

    def work(number: int) -> None:
        organization = open_organization(storage, locks, "acme")
        name = parse_name(f"@acme/p{number}")
        for version in range(10_000):
            if over.is_set():
                return
            publish(organization, str(name), f"1.0.{version}")
            organization.packages.tag(name, "next", f"1.0.{version}", ACTOR)
            if version % 5 == 4:
                organization.packages.unpublish(name, organization.packages.record(name)[0].revision, ACTOR)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while changes(open_organization(storage, locks, "acme")) < 5:
        PAUSE.wait(0.02)
    yield open_organization(storage, locks, "acme")
    over.set()
    for thread in threads:
        thread.join()


def test_check_of_a_busy_store_accuses_nobody(busy):
    """A check while others publish and unpublish finds nothing but work under way."""
    while changes(busy) < 100:
        findings = [it for it in check(busy.storage.storage) if not isinstance(it, OrphanFinding)]
        assert [str(it) for it in findings if "the index lacks this event" not in it.what] == []


def test_gc_and_copy_of_a_busy_store_lose_nothing(busy, tmp_path):
    """Collections and copies while others publish: no version misses its bytes, here or there."""
    store, there = busy.storage.storage, open_storage(str(tmp_path / "there"))
    while changes(busy) < 100:
        assert not any(left.due for left in gc(store, grace=GRACE))
        copy(store, there, origin="here")
        for place in (store, there):
            assert [str(it) for it in check(place) if "tarball" in it.what and not isinstance(it, OrphanFinding)] == []


def test_what_was_given_up_goes_while_others_publish(busy):
    """Orphans that are due, and only those: what others are about to name stays."""
    store = busy.storage.storage
    given_up = "orgs/acme/tarballs/@acme/p0/0123.tgz"
    store.create(given_up, b"")
    under_way = {left.key for left in gc(store)}
    under_way.remove(given_up)
    while under_way & {left.key for left in gc(store, dry_run=True)}:
        PAUSE.wait(0.02)
    later = gc(store, grace=GRACE, clock=lambda: utc_now() + 2 * GRACE)
    assert {left.key for left in later if left.due} == {given_up}
    assert given_up not in store.list()
    assert [str(it) for it in check(store) if "missing" in it.what] == []


def contents(storage) -> dict[str, bytes]:
    """All that a copy copies. A mark of a process that changed something stays where that process is."""
    return {key: storage.read(key).data for key in storage.list() if key != COPY.key() and "/upkeep/dirty/" not in key}


@pytest.mark.e2e
def test_copy_to_a_bucket_that_is_killed_goes_on(s3_url, tmp_path):
    """``nproxy-mw copy`` killed -9 : each time the bucket is sound; in the end all is there, and back again."""
    folder = str(tmp_path / "store")
    organization = open_organization(open_storage(folder), FileLocks(tmp_path / "locks"), "acme")
    for number in range(30):
        publish(organization, f"@acme/p{number}", "1.0.0", files={"blob": uuid.uuid4().hex * 1000})
    program = str(Path(sys.executable).with_name("nproxy-mw"))
    there = open_storage(f"{s3_url}/there", freshness=0)
    for copied in (1, 10, 20):
        with subprocess.Popen([program, "copy", folder, f"{s3_url}/there"]) as running:
            while running.poll() is None and len(list(there.list("orgs/acme/packages"))) < copied:
                PAUSE.wait(0.02)
            running.send_signal(signal.SIGKILL)
        assert running.returncode in (-signal.SIGKILL, 0)  # it did not fail by itself
        assert [str(it) for it in check(there) if "tarball" in it.what and not isinstance(it, OrphanFinding)] == []
    for source, destination in ((folder, f"{s3_url}/there"), (f"{s3_url}/there", str(tmp_path / "back"))):
        subprocess.run([program, "copy", source, destination], check=True)
    assert contents(there) == contents(open_storage(folder)) == contents(open_storage(str(tmp_path / "back")))
    assert list(check(there)) == []
