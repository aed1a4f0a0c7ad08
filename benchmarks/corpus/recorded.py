"""A corpus recorded from the cache of the user's own npm: an index of JSON lines, and content by digest (cacache)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks.corpus.files import ORIGIN, Corpus, Writer
from benchmarks.errors import CannotRun

_PREFIX = "make-fetch-happen:request-cache:"


def record(folder: Path, cache: Path, project: Path) -> Corpus:
    """Writes all packuments and tarballs of *cache* into *folder*, and returns the corpus.

    *cache* is what ``npm install --cache CACHE`` left; *project* is the folder of the package.json it installed.

    Raises:
        CannotRun: one of them is not there.
    """
    found = dict(_responses(cache))
    if not found:
        raise CannotRun(f"{cache} is not a cache of npm: fill one with npm install --cache {cache}.")
    writer = Writer(folder)
    documents = {url: json.loads(path.read_bytes()) for url, path in found.items() if not url.endswith(".tgz")}
    known = {one["name"]: frozenset(one["versions"]) for one in documents.values() if "versions" in one}
    for url, document in documents.items():
        if document.get("name") in known:
            writer.add_packument(_moved(url, _installable(document, known)))
    for url, path in found.items():
        if url.endswith(".tgz"):
            writer.add_tarball(unquote(urlsplit(url).path), path.read_bytes())
    writer.finish(_dependencies(project))
    return Corpus.load(folder)


def _dependencies(project: Path) -> dict[str, str]:
    try:
        manifest = json.loads((project / "package.json").read_bytes())
    except (OSError, ValueError) as error:
        raise CannotRun(f"{project} has no package.json: give the project that filled the cache.") from error
    return {**manifest.get("dependencies", {}), **manifest.get("devDependencies", {})}


def _responses(cache: Path) -> Iterator[tuple[str, Path]]:
    """Yields (URL, file of the body); for a URL that was stored twice the newest comes last."""
    for bucket in sorted((cache / "_cacache" / "index-v5").rglob("*")):
        if bucket.is_file():
            for line in bucket.read_text(encoding="utf-8").splitlines():
                yield from _response(cache, line)


def _response(cache: Path, line: str) -> Iterator[tuple[str, Path]]:
    _, tab, entry = line.partition("\t")
    row = json.loads(entry) if tab else {}
    if row.get("integrity") and row["key"].startswith(_PREFIX):
        algorithm, _, digest = row["integrity"].split()[0].partition("-")
        name = base64.b64decode(digest).hex()
        content = cache / "_cacache" / "content-v2" / algorithm / name[:2] / name[2:4] / name[4:]
        yield row["key"].removeprefix(_PREFIX), content


def _moved(url: str, document: Mapping[str, Any]) -> bytes:
    """Returns *document* as JSON, with the origin it came from replaced."""
    parts = urlsplit(url)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.replace(f"{parts.scheme}://{parts.netloc}", ORIGIN).encode()


def _installable(document: dict[str, Any], known: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """Drops optional dependencies on exact versions that are not there.

    A mirror may lack the builds for other platforms, and ``npm ci`` refuses a lockfile that lacks them too.
    """
    for manifest in document["versions"].values():
        optional = manifest.get("optionalDependencies") or {}
        for name in [name for name, wanted in optional.items() if _is_missing(wanted, known.get(name))]:
            del optional[name]
            (manifest.get("dependencies") or {}).pop(name, None)
    return document


def _is_missing(wanted: str, versions: frozenset[str] | None) -> bool:
    is_exact = wanted[:1].isdigit() and " " not in wanted
    return is_exact and versions is not None and wanted not in versions
