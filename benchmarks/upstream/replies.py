"""What the upstream replies, without I/O: packuments in both forms with ETag and gzip, and tarballs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from benchmarks.corpus.files import Corpus, Packument, Tarball

ABBREVIATED = "application/vnd.npm.install-v1+json"
_REASONS = {200: "OK", 304: "Not Modified", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the upstream can do. The poorest mirrors can do none of these."""

    gzip: bool = True
    etag: bool = True
    abbreviated: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. *is_object* tells packuments and tarballs from everything else."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_object: bool = False

    def head(self) -> bytes:
        """Returns the status line and the headers as they are sent."""
        length = {} if self.status == 304 else {"content-length": str(len(self.body))}
        fields = {**self.headers, **length}
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}",
            *(f"{key}: {value}" for key, value in fields.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def plain(status: int, body: bytes = b"{}") -> Reply:
    """Returns a reply of JSON that is no object of the corpus."""
    return Reply(status, {"content-type": "application/json"}, body)


class Replay:
    """Replies from *corpus*. What has been asked for once is kept in memory."""

    def __init__(self, corpus: Corpus, abilities: Abilities | None = None) -> None:
        self.corpus, self.abilities = corpus, abilities or Abilities()
        self._packuments: dict[tuple[str, bool, bool], Reply] = {}
        self._tarballs: dict[str, Reply] = {}

    def reply(self, method: str, target: str, headers: Mapping[str, str]) -> Reply:
        """Returns the reply to a request. Names of *headers* are in lower case."""
        path = path_of(target)
        if method not in ("GET", "HEAD"):
            return plain(200 if path.startswith("/-/npm/v1/security/") else 405)
        if path == "/-/ping":
            return plain(200)
        found = self._object(path, headers)
        if found is None:
            return plain(404, b'{"error":"Not found"}')
        etag = found.headers.get("etag")
        if etag and etag in headers.get("if-none-match", ""):
            return Reply(304, found.headers, b"", is_object=True)
        return found

    def _object(self, path: str, headers: Mapping[str, str]) -> Reply | None:
        if path in self.corpus.tarballs:
            return self._tarball(self.corpus.tarballs[path])
        packument = self.corpus.packuments.get(path[1:])
        if packument is None:
            return None
        is_short = self.abilities.abbreviated and ABBREVIATED in headers.get("accept", "")
        is_packed = self.abilities.gzip and "gzip" in headers.get("accept-encoding", "")
        return self._packument(packument, is_short, is_packed)

    def _packument(self, packument: Packument, is_short: bool, is_packed: bool) -> Reply:
        key = (packument.name, is_short, is_packed)
        if key not in self._packuments:
            self._packuments[key] = self._make(packument, is_short, is_packed)
        return self._packuments[key]

    def _make(self, packument: Packument, is_short: bool, is_packed: bool) -> Reply:
        form = "abbreviated" if is_short else "full"
        headers = {
            "content-type": ABBREVIATED if is_short else "application/json",
            "cache-control": "public, max-age=300",
            "vary": "accept-encoding, accept",
        }
        if self.abilities.etag:
            headers["etag"] = f'"{packument.etag}-{form}"'
        if is_packed:
            headers["content-encoding"] = "gzip"
        body = self.corpus.read(packument, f"{form}.gz" if is_packed else form)
        return Reply(200, headers, body, is_object=True)

    def _tarball(self, tarball: Tarball) -> Reply:
        if tarball.path not in self._tarballs:
            headers = {
                "content-type": "application/octet-stream",
                "cache-control": "public, immutable, max-age=31557600",
            }
            if self.abilities.etag:
                headers["etag"] = f'"{tarball.sha1}"'
            self._tarballs[tarball.path] = Reply(200, headers, self.corpus.read_tarball(tarball), is_object=True)
        return self._tarballs[tarball.path]


def path_of(target: str) -> str:
    """Returns the path of a request's target, percent-decoded and without the query."""
    return unquote(target.partition("?")[0])
