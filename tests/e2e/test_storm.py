"""Many publishers, several servers, processes killed in the middle: what was acknowledged is there, byte by byte.

The sizes are reduced so that all of it takes half a minute; ``NPROXY_STORM=full`` runs the full ones.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest
from support.chaos import Storm, servers, verify

from nproxy_mw.access import Actor, Grant
from nproxy_mw.orgs.organization import organization_at
from nproxy_mw.storage import open_storage
from nproxy_mw.upkeep.check import OrphanFinding, check

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FULL = os.environ.get("NPROXY_STORM") == "full"  # read before the tests' environment is emptied
_HARMLESS = ("the index lacks this event", "does not record the last change yet")


def token_for(storage: str) -> str:
    """A token that may do everything."""
    grants = [Grant.PROXY, Grant.PUBLISH]
    return organization_at(storage).tokens.create("storm", grants, actor=Actor(name="tests"))[0]


def versions_of_one(count: int) -> list[tuple[str, str]]:
    return [("@acme/one", f"1.0.{number}") for number in range(count)]


def packages(count: int) -> list[tuple[str, str]]:
    return [(f"@acme/p{number}", "1.0.0") for number in range(count)]


def interleaved(versions: int, others: int) -> list[tuple[str, str]]:
    """Versions of one package and other packages, mixed."""
    jobs = versions_of_one(versions) + packages(others)
    return [jobs[number * 7919 % len(jobs)] for number in range(len(jobs))]


def conclude(storm: Storm, storage: str, title: str, begun: float) -> None:
    """Waits for the end, and looks whether everything is there and nothing is damaged."""
    ledger = storm.end()
    print(f"\n{title}: {ledger}; {len(ledger.acknowledged) / (time.monotonic() - begun):.1f} publishes a second")
    verify(storm, ledger)
    findings = [it for it in check(open_storage(storage, freshness=0)) if not isinstance(it, OrphanFinding)]
    assert [str(it) for it in findings if not any(harmless in it.what for harmless in _HARMLESS)] == []
    assert_told_once(storage)


def assert_told_once(storage: str) -> None:
    """Each version has one event of its publication, and one of its signature for each of the two keys."""
    packages = organization_at(storage, freshness=0).packages
    for name in packages.names():
        record, _ = packages.record(name)
        told = Counter((event["event"], event["version"], event.get("keyId", "")) for event in record.chain)
        versions = record.packument["versions"].keys()
        assert set(told.values()) == {1}
        assert Counter(kind for kind, _, _ in told) == {
            "package.published": len(versions),
            "package.signed": 2 * len(versions),
        }
        assert {version for _, version, _ in told} == versions


def test_interleaving_is_a_permutation():
    """The mixed list of jobs has every job once."""
    for versions, others in ((300, 300), (30, 24), (48, 30)):
        assert sorted(interleaved(versions, others)) == sorted(versions_of_one(versions) + packages(others))


def test_workers_killed_in_the_middle_lose_nothing(tmp_path):
    """One folder, 4 workers, 8 publishers, one package, workers killed -9: nothing acknowledged is lost."""
    storage = str(tmp_path / "store")
    kills = 12 if FULL else 3
    with servers(storage, tmp_path / "hosts", hosts=1, workers=4) as (server,):
        storm = Storm([server.port], token_for(storage), versions_of_one(200 if FULL else 60))
        begun = time.monotonic()
        storm.begin(8)
        for kill in range(1, kills + 1):
            storm.wait_for(kill / (kills + 1))
            server.kill_worker()
        conclude(storm, storage, "one folder, four workers", begun)


def test_six_processes_on_one_folder_lose_nothing(tmp_path):
    """One folder, three servers of two workers, 12 publishers, servers killed -9 and started again."""
    storage = str(tmp_path / "store")
    jobs = interleaved(300, 300) if FULL else interleaved(48, 30)
    with servers(storage, tmp_path / "hosts", hosts=3, workers=2) as hosts:
        storm = Storm([host.port for host in hosts], token_for(storage), jobs)
        begun = time.monotonic()
        storm.begin(12)
        for share, host in zip((0.2, 0.4, 0.6, 0.8) if FULL else (0.3,), (*hosts, hosts[0]), strict=False):
            storm.wait_for(share)
            host.kill()
            host.start()
        conclude(storm, storage, "one folder, six processes", begun)


def test_three_hosts_on_one_bucket_lose_nothing(engine, s3_url, tmp_path):
    """One bucket, three hosts of two workers, 12 publishers; hosts killed -9, and the engine stopped."""
    storage = f"{s3_url}/npm"
    jobs = interleaved(300, 300) if FULL else interleaved(30, 24)
    with servers(storage, tmp_path / "hosts", hosts=3, workers=2) as hosts:
        storm = Storm([host.port for host in hosts], token_for(storage), jobs)
        begun = time.monotonic()
        storm.begin(12)
        for share, host in zip((0.2, 0.5, 0.8) if FULL else (0.3,), hosts, strict=False):
            storm.wait_for(share)
            host.kill()
            host.start()
        storm.wait_for(0.6)
        os.kill(engine.pid, signal.SIGSTOP)
        time.sleep(10 if FULL else 2)  # what is tested: the engine is away for that long
        os.kill(engine.pid, signal.SIGCONT)
        conclude(storm, storage, "one bucket, three hosts", begun)
