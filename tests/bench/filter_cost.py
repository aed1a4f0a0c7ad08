"""What filtering a packument costs from its bytes to what is left of it, next to one `orjson.loads` of the same bytes.

    python tests/bench/filter_cost.py [--versions 2600] [--advisories 25] [--rounds 15] [FILE ...]

Without files, the packument is the made-up one of `bench_rules`. Each FILE is a packument as a registry sends it.

All rules are on, and look into a local OSV database that has advisories about the package, by default about as many as
there are about the most used framework; they affect some 20,000 pairs of version and advisory. *Cold* means that
nothing was seen before: no version was parsed, no decision is kept. The two are measured alternately, in CPU of one
thread; the table has the least and the median ratio.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from bench_rules import NOW, RULES, document

from nproxy_mw.errors import NotFound
from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import ParsedRecord
from nproxy_mw.intelligence.popular import POPULAR
from nproxy_mw.npm import versions
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import parse_loose
from nproxy_mw.rules.held import Held
from nproxy_mw.times import timestamp
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.ruled import Ruled

ADVISORIES = 25


class One:
    """A source that has one packument, as its bytes."""

    def __init__(self, raw: bytes, name: Name) -> None:
        self.raw = raw
        self.name = name

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document:
        """Returns the packument. Raises `NotFound` for another package."""
        if name != self.name:
            raise NotFound("The upstream registry has no such package.")
        return Document(self.raw, "1", name=str(name))


def advisories(name: str, numbers: list[str], count: int) -> list[ParsedRecord]:
    """Advisories as OSV has them: each affects three majors up to a fix, and one of five everything before, too."""
    stable = [text for text in numbers if (version := parse_loose(text)) and version.is_stable]
    records = []
    for number in range(count):
        fixes = [stable[-(1 + number + step * len(stable) // 4) % len(stable)] for step in range(3)]
        begins = [fix.partition(".")[0] + ".0.0" for fix in fixes]
        begins[0] = begins[0] if number % 5 else "0"
        events = tuple((("introduced", begin), ("fixed", fix)) for begin, fix in zip(begins, fixes, strict=True))
        advisory = Advisory(
            package=name,
            id=f"GHSA-{number}",
            kind="vulnerability",
            severity=("moderate", "high", "critical")[number % 3],
            summary="Something can be done that should not",
            published=NOW,
            ranges=events,
        )
        records.append(ParsedRecord(f"GHSA-{number}", timestamp(NOW), (advisory,)))
    return records


def filtering(raw: bytes, folder: Path, count: int = ADVISORIES) -> Callable[[], int]:
    """Returns the work that is measured: it returns how many versions are left."""
    parsed = orjson.loads(raw)
    name, numbers = parse_name(parsed["name"]), list(parsed["versions"])
    path = folder / "osv.sqlite"
    build(path, advisories(str(name), numbers, count), built=timestamp(NOW), source="made up")
    known = OsvDatabase(path)
    policy = Policy(RULES, "1", intelligence=known, popular=POPULAR)

    def work() -> int:
        ruled = Ruled(One(raw, name), policy=lambda: policy, clock=lambda: NOW)  # type: ignore[arg-type]
        try:
            found = ruled.packument(name)
        except Held:
            return 0
        return len(found.packument.versions) if found else 0

    return work


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one cold call."""
    versions._cached.cache_clear()
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(title: str, raw: bytes, count: int, rounds: int) -> None:
    """Prints a line."""
    with tempfile.TemporaryDirectory() as folder:
        work = filtering(raw, Path(folder), count)
        left = work()
        pairs = [(seconds(lambda: orjson.loads(raw)), seconds(work)) for _ in range(rounds)]
    parsing, filtered = (min(times) for times in zip(*pairs, strict=True))
    ratios = [ours / theirs for theirs, ours in pairs]
    print(
        f"{title[:24]:24}{len(raw) / 1e6:>7.1f} MB{left:>7} left{parsing * 1000:>9.1f} ms{filtered * 1000:>9.1f} ms"
        f"{filtered / parsing:>8.2f}{statistics.median(ratios):>8.2f}",
        flush=True,
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--versions", type=int, default=2600)
    parser.add_argument("--advisories", type=int, default=ADVISORIES)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"{'':24}{'size':>10}{'versions':>12}{'parsing':>12}{'filter':>12}{'of mins':>8}{'median':>8}")
    for title, raw in [(one.stem, one.read_bytes()) for one in options.files] or [
        ("made up", document(options.versions))
    ]:
        measure(title, raw, options.advisories, options.rounds)


if __name__ == "__main__":
    main()
