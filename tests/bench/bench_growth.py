"""What a publish costs when its package has many versions already, on the program itself: gunicorn, a folder, fsync.

    python tests/bench/bench_growth.py [--versions 10 250 1500 5000] [--publishes 96] [--workers 2] [--program PATH]

For each number of versions, a package gets a record as the first versions of this program wrote it, all in one object.
Some publishes turn it over; then one publisher's are measured. Afterwards eight publishers publish to packages of their
own, and to one package; what was accepted is looked up. With *--program*, another installation's program is measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import orjson
from support.programs import PROGRAM, READY

from benchmarks.figures import percentile
from benchmarks.http.crowd import Work, work_through
from benchmarks.http.messages import Request
from benchmarks.measures.publications import Publication, is_accepted
from benchmarks.servers.port import Ability, Running
from benchmarks.system.accounting import CpuMeter
from benchmarks.system.processes import stop
from nproxy_mw.audit.events import extend
from nproxy_mw.json_values import Json
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import RECORD, home

WARMING = 8  # publishes that turn a record over
PUBLISHERS = 8


def served(program: str, folder: Path, workers: int) -> tuple[subprocess.Popen[str], Running]:
    """A server on *folder*, and how it is reached."""
    storage = str(folder / "store")
    options = ["--bind", "127.0.0.1:0", "--upstream", "none", "--scope", "@acme", "--workers", str(workers)]
    process = subprocess.Popen(
        [program, "serve", *options, "--storage", storage],
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
        cwd=folder,
    )
    assert process.stdout is not None
    url = next(line for line in process.stdout if line.startswith(READY)).removeprefix(READY).split("/ ")[0]
    command = [program, "token", "create", "--storage", storage, "--name", "bench"]
    made = subprocess.run(
        [*command, "--scope", "publish", "--scope", "proxy"], capture_output=True, text=True, check=True
    )
    token = made.stdout.strip()
    return process, Running("nproxy-mw", url, process.pid, 0.0, Ability.PUBLISH, token, token)


def publish(server: Running, made: Sequence[Publication], publishers: int = 1) -> Work:
    """Publishes, and lets nothing be refused."""
    work = work_through(server.url, [one.request(server) for one in made], publishers)
    refused = [exchange.response for exchange in work.exchanges if not is_accepted(exchange.response)]
    if refused:
        raise SystemExit(f"{len(refused)} publishes were refused: {refused[0]}")
    return work


def grow(folder: Path, name: str, versions: int) -> None:
    """Gives a package of one version *versions* of them, in one object."""
    storage = home(open_storage(str(folder / "store")), "default")
    stored = storage.read(RECORD.key(name))
    record = orjson.loads(stored.data)
    packument, chain = record["packument"], record["chain"]
    manifest, entry, events = packument["versions"]["1.0.0"], record["tarballs"]["1.0.0"], list(chain)
    for number in range(1, versions):
        version = f"1.0.{number}"
        packument["versions"][version] = {**manifest, "version": version, "_id": f"{name}@{version}"}
        packument["time"][version] = packument["time"]["1.0.0"]
        record["tarballs"][version] = entry
        chain += renumbered(events, version, number)
    record["chain"] = extend([], chain)
    storage.replace(RECORD.key(name), orjson.dumps(record), stored.revision)


def renumbered(events: Sequence[Json], version: str, number: int) -> Iterator[Json]:
    """The events of a publish for another *version*, outside a chain."""
    for event in events:
        kept = {key: value for key, value in event.items() if key not in ("previous", "hash")}
        yield {**kept, "id": f"{event['id'][:12]}{number:020x}", "version": version}


def into_many(server: Running, folder: Path, versions: int, count: int) -> None:
    """Measures publishes into a package of *versions*, and prints a line."""
    name = f"@acme/grown-{versions}"
    publish(server, [Publication(name, "1.0.0")])
    grow(folder, name, versions)
    made = [Publication(name, f"2.0.{number}") for number in range(WARMING + count)]
    publish(server, made[:WARMING])
    meter = CpuMeter(server.pid)
    work = publish(server, made[WARMING:])
    report(f"into {versions:,} versions", work, meter.seconds())


def at_once(server: Running, title: str, made: Sequence[Publication]) -> None:
    """Measures eight publishers at once, looks everything up, and prints a line."""
    meter = CpuMeter(server.pid)
    work = publish(server, made, PUBLISHERS)
    report(title, work, meter.seconds(), lost=count_lost(server, made))


def count_lost(server: Running, made: Sequence[Publication]) -> int:
    """How many of the versions are not in their packuments, or lack their bytes."""
    names = list({one.name: one for one in made}.values())
    documents = responses(server, [one.packument_request(server) for one in names])
    packuments = dict(zip((one.name for one in names), documents, strict=True))
    tarballs = responses(server, [one.tarball_request(server) for one in made])
    return sum(not one.is_in(packuments[one.name], tarball) for one, tarball in zip(made, tarballs, strict=True))


def responses(server: Running, requests: Sequence[Request]) -> list:
    """What is answered to each of *requests*."""
    return [exchange.response for exchange in work_through(server.url, requests, PUBLISHERS).exchanges]


def report(title: str, work: Work, cpu: float, **more: int) -> None:
    """Prints a line."""
    count, seconds = len(work.exchanges), [exchange.seconds for exchange in work.exchanges]
    told = "".join(f"  {value} {what}" for what, value in more.items())
    print(
        f"{title:26}{cpu * 1000 / count:>9.2f} ms CPU{count / work.wall:>9.1f}/s"
        f"{percentile(seconds, 50) * 1000:>9.1f} p50 ms{percentile(seconds, 99) * 1000:>9.1f} p99 ms{told}",
        flush=True,
    )


def main() -> None:
    """Measures all of it on one server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, nargs="*", default=[10, 250, 1500, 5000])
    parser.add_argument("--publishes", type=int, default=96, help="per line of the table (default: 96)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--program", default=PROGRAM)
    parser.add_argument("--folder", help="where the store is made (default: a temporary folder)")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=parsed.folder) as folder:
        process, server = served(parsed.program, Path(folder), parsed.workers)
        try:
            for versions in parsed.versions:
                into_many(server, Path(folder), versions, parsed.publishes)
            mark, count = time.time_ns(), 3 * parsed.publishes
            at_once(
                server,
                "8, packages of their own",
                [Publication(f"@acme/own-{mark}-{one}", "1.0.0") for one in range(count)],
            )
            at_once(server, "8, one package", [Publication(f"@acme/same-{mark}", f"1.0.{one}") for one in range(count)])
        finally:
            stop(process)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
