"""What a packument costs on its way through: split, facts and finished bodies, next to one parse of it.

    python tests/bench/bench_packument.py [--megabytes 19] [FILE NAME]

Without a file it makes a packument of that size, with the fields that public ones have. CPU milliseconds, the best of
several runs in one process.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from nproxy_mw.http.compressing import gzipped
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.forms import Form, written
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.slices import check_size, outline, split
from nproxy_mw.upstream.rewriting import UrlRewriter

RUNS = 7
BASE = "https://npm.acme.example"
UPSTREAM = "https://upstream.example"


def manifest(name: str, version: str) -> dict[str, Any]:
    """A version with some 60 dependencies, as large applications have them: about 7 kB."""
    dependencies = {f"@scope/dependency-{number}": f"^{number}.{number % 7}.0" for number in range(30)}
    return {
        "_id": f"{name}@{version}",
        "name": name,
        "version": version,
        "description": "A package of many versions",
        "license": "MIT",
        "repository": {"type": "git", "url": "git+https://git.example/acme/large.git"},
        "bugs": {"url": "https://git.example/acme/large/issues"},
        "bin": {"large": "dist/bin/large"},
        "engines": {"node": ">=20"},
        "scripts": {f"task-{number}": f"run --step {number} && check" for number in range(40)},
        "dependencies": dependencies,
        "devDependencies": {f"dev-{name}": version for name, version in dependencies.items()},
        "peerDependencies": {"react": "^18 || ^19"},
        "peerDependenciesMeta": {"react": {"optional": True}},
        "maintainers": [{"name": f"maintainer-{number}", "email": f"m{number}@example.com"} for number in range(5)],
        "_npmUser": {"name": "maintainer-1", "email": "m1@example.com"},
        "dist": {
            "integrity": "sha512-" + "A" * 86 + "==",
            "shasum": "a" * 40,
            "tarball": f"{UPSTREAM}/{name}/-/{name}-{version}.tgz",
            "fileCount": 1234,
            "unpackedSize": 12345678,
            "signatures": [{"keyid": "SHA256:" + "k" * 43, "sig": "M" * 96}],
            "attestations": {"url": f"{UPSTREAM}/-/npm/v1/attestations/{name}@{version}", "provenance": {"x": "y"}},
        },
        "_npmOperationalInternal": {"host": "s3://packages", "tmp": "tmp/large_" + "0" * 40},
    }


def made(size: int) -> bytes:
    """A packument of at least *size* bytes."""
    name, one = "large", len(orjson.dumps(manifest("large", "1.0.0")))
    versions = [f"{number // 100}.{number % 100}.0-canary.{number}" for number in range(size // one + 1)]
    times = {version: f"2024-01-{number % 28 + 1:02}T00:00:00.000Z" for number, version in enumerate(versions)}
    document = {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": versions[-1]},
        "versions": {version: manifest(name, version) for version in versions},
        "time": {"created": "2024-01-01T00:00:00.000Z", "modified": "2024-01-28T00:00:00.000Z", **times},
        "readme": "# large\n",
    }
    return orjson.dumps(document)


def milliseconds(work: Callable[[], object]) -> float:
    """The least CPU time that *work* took."""
    took = []
    for _ in range(RUNS):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took) * 1000


def measured(raw: bytes, name: str) -> Iterator[tuple[str, float]]:
    """Each step, and what it costs."""
    packument = split(outline(raw), name)
    full = written(packument, Form.FULL, BASE)
    yield "orjson.loads", milliseconds(lambda: orjson.loads(raw))
    yield "msgspec.json.decode", milliseconds(lambda: msgspec.json.decode(raw))
    yield "bounds", milliseconds(lambda: check_size(raw))
    yield "split (with bounds)", milliseconds(lambda: split(outline(raw), name))
    yield "facts", milliseconds(lambda: read_history(packument))
    for form in Form:
        yield f"{form.value} form", milliseconds(lambda form=form: written(packument, form, BASE))  # type: ignore[misc]
    yield "URLs of the upstream", milliseconds(lambda: UrlRewriter(UPSTREAM, BASE).to_local(full))
    yield "split, facts, full form", milliseconds(lambda: whole_way(raw, name))
    yield "gzip, as finished", milliseconds(lambda: gzipped(full))
    yield "gzip, zlib level 6", milliseconds(lambda: gzip.compress(full, 6))


def whole_way(raw: bytes, name: str) -> bytes:
    """All that is done with a packument of the upstream before it is compressed."""
    document = Document(raw, "1", name=name)
    _ = document.history
    return UrlRewriter(UPSTREAM, BASE).to_local(written(document.packument, Form.FULL, BASE))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("name", nargs="?", default="large")
    parser.add_argument("--megabytes", type=int, default=19)
    options = parser.parse_args()
    raw = Path(options.file).read_bytes() if options.file else made(options.megabytes * 1_000_000)
    packument = split(outline(raw), options.name)
    print(f"{len(raw) / 1e6:.1f} MB, {len(packument.versions)} versions")
    for form in Form:
        print(f"{form.value:>12}: {len(written(packument, form, BASE)) / 1e6:.1f} MB")
    for title, took in measured(raw, options.name):
        print(f"{title:<26} {took:8.1f} ms")


if __name__ == "__main__":
    main()
