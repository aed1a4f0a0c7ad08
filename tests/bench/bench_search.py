"""What search and lists of packages cost among many packages, and what it costs to keep the index.

    python tests/bench/bench_search.py [--packages 20000] --folder FOLDER

Records are written into a folder directly, 5 versions each, and kept there for the next run. All figures are CPU of
this process, the best of several runs; what the disk adds depends on what is in its cache.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nproxy_mw.copies import replace

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.publications import ACTOR, publication

from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.search import parse_query
from nproxy_mw.orgs.organization import Organization, organization_at
from nproxy_mw.packages import record
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.search import index
from nproxy_mw.packages.search.queries import PackageSort, PagePosition
from nproxy_mw.storage.layout import RECORD

# fmt: off
THINGS = [
    "date", "time", "http", "json", "xml", "log", "config", "auth", "user", "cart", "order", "mail", "queue", "cache",
    "graph", "table", "form", "button", "theme", "file",
]
KINDS = [
    "utils", "core", "helpers", "kit", "tools", "sdk", "api", "ui", "client", "server", "plugin", "loader", "parser",
    "service", "types", "common", "base",
]
PROSE = [
    "for", "the", "and", "with", "to", "fast", "small", "simple", "internal", "library", "that", "makes", "easy",
    "used", "by", "all", "projects", "handling",
]
# fmt: on
VOCABULARY = [*THINGS, *KINDS, *PROSE, *(f"word{number}" for number in range(5000))]
QUERIES = [
    "date-utils",
    "date-utils-77",
    "acme",
    "a",
    "date utils",
    "acme date utils",
    "keywords:date,time",
    "scope:acme",
    "scope:acme date not:deprecated",
    "word12 word3",
    "nothing-has-this",
    "",
    "a b c d e f g h i j k l",
]


def packument(number: int, chance: random.Random) -> dict[str, Any]:
    """A packument as publishes make it."""
    name = f"@acme/{chance.choice(THINGS)}-{chance.choice(KINDS)}-{number}"
    versions = [f"1.{minor}.0" for minor in range(5)]
    stamps = {v: f"2026-0{1 + n}-{1 + number % 28:02}T10:00:00.{number % 1000:03}Z" for n, v in enumerate(versions)}
    described = {
        "description": " ".join(chance.choices(VOCABULARY, k=12)),
        "keywords": chance.choices(THINGS, k=4),
        "author": {"name": f"Author {number % 200}"},
        "license": "MIT",
    }
    manifest = {
        **described,
        "name": name,
        "dependencies": {f"dependency-{n}": "^1.0.0" for n in range(8)},
        "dist": {"integrity": "sha512-" + "x" * 86, "shasum": "0" * 40, "fileCount": 9, "unpackedSize": 12345},
        "_npmUser": {"name": f"ci-{number % 50}", "email": ""},
    }
    return {
        **described,
        "_id": name,
        "name": name,
        "dist-tags": {"latest": versions[-1]},
        "versions": {version: {**manifest, "version": version} for version in versions},
        "time": {"created": stamps["1.0.0"], **stamps, "modified": stamps[versions[-1]]},
        "maintainers": [manifest["_npmUser"]],
    }


def write_store(root: Path, packages: int) -> None:
    """Writes the records, unless they are there."""
    chance = random.Random(1)
    for number in range(packages):
        made = packument(number, chance)
        file = root / "orgs" / "default" / RECORD.key(made["name"])
        if not file.exists():
            file.parent.mkdir(parents=True)
            file.write_bytes(record.encode(Record(packument=made, generation=5)))


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Prints what a block cost."""
    wall, cpu = time.monotonic(), time.process_time()
    yield
    print(f"{what:45} {time.process_time() - cpu:8.2f} s CPU {time.monotonic() - wall:8.2f} s wall", flush=True)


def best(work: Callable[[], object], runs: int = 5) -> float:
    """The least CPU of several runs, in milliseconds."""
    costs = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        costs.append(time.process_time() - begun)
    return min(costs) * 1000


def build(acme: Organization) -> None:
    """Makes the index, as the first request does, and waits for it."""
    while not acme.search_index.page(sort=PackageSort.NAME, after=None, text="", size=1).is_complete:
        time.sleep(0.1)


def questions(acme: Organization) -> None:
    """Prints what searches and pages cost."""
    search = acme.search_index.search
    for text in QUERIES:
        found = search(parse_query(text), first=0, size=20)
        cost = best(lambda text=text: search(parse_query(text), first=0, size=20))
        print(f"  search {text!r:40} {cost:8.2f} ms CPU, {found.total} found")
    print(f"  search 'acme', size 250 {best(lambda: search(parse_query('acme'), first=0, size=250)):8.2f} ms CPU")
    for sort, text in itertools.product(PackageSort, ["", "utils", "nothing"]):
        cost = best(lambda s=sort, t=text: acme.search_index.page(sort=s, after=None, text=t, size=51))
        print(f"  page 1 by {sort} of {text!r:34} {cost:8.2f} ms CPU")
    middle = PagePosition("@acme/http-kit-1", "2026-05-14T10:00:00.500Z")
    for sort in PackageSort:
        cost = best(lambda s=sort: acme.search_index.page(sort=s, after=middle, text="", size=51))
        print(f"  a page in the middle by {sort:26} {cost:8.2f} ms CPU")


def changes(acme: Organization) -> None:
    """Prints what it costs to follow a change."""
    refresh, name = acme.search_index._refresh, f"@acme/new-{time.time_ns()}"
    acme.packages.publish(publication(name, "1.0.0"), ACTOR)
    stored, revision = acme.packages.record(parse_name(name))
    later = (replace(stored, generation=number) for number in itertools.count(10))
    cost = best(lambda: acme.search_index.changed(parse_name(name), next(later), revision), 20)
    print(f"  a publish's part {cost:28.2f} ms CPU")
    print(f"  a check without a change {best(refresh.check):20.2f} ms CPU")
    acme.packages.changed = lambda *_: None  # as another host does it
    acme.packages.publish(publication(name, "1.0.1"), ACTOR)
    print(f"  a check with one change {best(refresh.check, 1):20.2f} ms CPU")
    with measured("  comparison without a change"):
        refresh.compare()
    file = acme.search_index.database.file
    assert file is not None
    print(f"  file {file.path.stat().st_size / 1e6:.1f} MB; peak of this process "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")  # fmt: skip


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, required=True)
    parsed = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    root = parsed.folder / str(parsed.packages)
    write_store(root, parsed.packages)
    acme = organization_at(str(root))
    for file in (root / ".search").glob("*.sqlite3*"):
        file.unlink()
    with measured(f"index of {parsed.packages} packages"):
        build(acme)
    index.COMPARE = 1e9
    questions(acme)
    changes(acme)


if __name__ == "__main__":
    main()
