"""How much code runs for one request: Python calls and files, and the microseconds of a hot GET in process.

    python tests/bench/count_calls.py [--folder DIR] [--gets 3000]

The registry stands on a local folder, with a stored token, and no server around it. Each request is made twice before
it is counted, so that what is kept between requests is there. *calls* and *files* count the functions of ``nproxy_mw``
that are entered and the files they stand in; *all calls* counts every Python function, those of the standard library
and of other packages too. A generator counts once for each time it is resumed.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import orjson
from support.registry import ACTOR

import nproxy_mw
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.stack import registry
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.testing.documents import publish_document

PACKAGE = str(Path(nproxy_mw.__file__).parent)
ROUNDS = 7


@dataclass
class Calls:
    """What was entered while it was counted."""

    ours: int = 0
    all: int = 0
    files: set[str] = field(default_factory=set)

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """Counts one call; the function for ``sys.setprofile``."""
        if event == "call":
            self.all += 1
            if frame.f_code.co_filename.startswith(PACKAGE):
                self.ours += 1
                self.files.add(frame.f_code.co_filename)


def counted(work: Callable[[], object]) -> Calls:
    """What *work* enters. The call of *work* itself is not counted."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        work()
    finally:
        sys.setprofile(None)
    calls.all -= 1
    return calls


class Application:
    """A registry on the storage at *place*, and a client with a token: *token*, or a new one."""

    def __init__(self, place: str, token: str = "") -> None:
        organization = open_organization(open_storage(place), locks_for(place))
        if not token:
            organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
        self.token = token or organization.tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]
        self.app = registry(organization)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Makes one request, and closes its body as a server does."""
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": "registry.example",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        status = ""

        def start_response(line: str, _: object, __: object = None) -> Callable[[bytes], object]:
            nonlocal status
            status = line
            return lambda data: None

        answer = self.app(environ, start_response)
        data = b"".join(answer)
        if close := getattr(answer, "close", None):
            close()
        if not status.startswith("20"):
            raise SystemExit(f"{method} {path} was answered {status}: {data[:300]!r}")
        return data

    def publish(self, version: str, name: str = "@acme/utils") -> Callable[[], bytes]:
        """A publish as npm sends it, ready to go."""
        body = orjson.dumps(publish_document(name, version, files={"index.js": "x" * 2000}))
        return lambda: self.ask("PUT", f"/{name}", body)

    def packument(self, **headers: str) -> bytes:
        """What an install asks first."""
        accept = "application/vnd.npm.install-v1+json; q=1.0"
        return self.ask("GET", "/@acme/utils", accept=accept, accept_encoding="gzip", **headers)

    def tarball(self) -> bytes:
        """What an install asks next."""
        return self.ask("GET", "/@acme/utils/-/utils-1.0.0.tgz")


def table(application: Application) -> Iterator[tuple[str, Calls]]:
    """The requests, each hot. One is made anew: the same was never asked before, but what it is made of is there."""
    # Another package first: keys are made at the first publish of all, and that is not what a publish costs.
    application.publish("1.0.0", "@acme/other")()
    application.publish("1.0.0")()
    for title, work in (("hot internal GET", application.packument), ("install-hot tarball", application.tarball)):
        work(), work()
        yield title, counted(work)
    yield "the same, made anew", counted(lambda: application.packument(npm_command="view"))
    yield "second publish", counted(application.publish("1.0.1"))


def microseconds(work: Callable[[], object], gets: int) -> list[float]:
    """CPU microseconds for one *work*, once for each of `ROUNDS`."""
    each = max(1, gets // ROUNDS)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(each):
            work()
        rounds.append((time.process_time() - begun) / each * 1e6)
    return rounds


def main() -> None:
    """Prints the counts, then the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="where the registry is made (default: a temporary folder)")
    parser.add_argument("--gets", type=int, default=3000, help="hot GETs that are timed (default: 3000)")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=parsed.folder) as folder:
        application = Application(folder)
        print(f"{'':24}{'calls':>8}{'files':>8}{'all calls':>12}")
        for title, calls in table(application):
            print(f"{title:24}{calls.ours:>8}{len(calls.files):>8}{calls.all:>12}")
        rounds = microseconds(application.packument, parsed.gets)
        print(
            f"CPU of one hot internal GET: {statistics.median(rounds):.0f} us "
            f"(median of {ROUNDS} rounds, {min(rounds):.0f} to {max(rounds):.0f})"
        )


if __name__ == "__main__":
    main()
