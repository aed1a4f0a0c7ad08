"""npm and pnpm before upstreams that are poor, slow, flaky or lying: it works, or the error is the upstream's.

Whatever an upstream does, nothing wrong is kept of it. pnpm runs where ``NPROXY_TEST_CLIENTS`` has ``pnpm10``, as
``test_clients`` says.
"""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
from support import moods
from support.moods import Mood, MoodyUpstream
from support.programs import Npm, Served, gunicorn

from nproxy_mw.upstream.entries import Entry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

LEAVES = 8
PNPM = Path(os.environ.get("NPROXY_TEST_CLIENTS", "/none")) / "pnpm10" / "node_modules" / ".bin" / "pnpm"


@dataclass
class Installer:
    """A client without retries that installs an application with some dependencies."""

    npm: Npm
    name: str

    def __call__(self, *dependencies: str) -> tuple[bool, str]:
        """Whether it went well, and what the client said."""
        app = self.npm.folder / "app"
        app.mkdir(exist_ok=True)
        document = {"name": "app", "version": "1.0.0", "dependencies": dict.fromkeys(dependencies, "*")}
        (app / "package.json").write_text(json.dumps(document))
        done = self.npm.run("install", cwd=app) if self.name == "npm" else self._pnpm(app)
        return done.returncode == 0, done.stdout + done.stderr

    def _pnpm(self, app: Path) -> subprocess.CompletedProcess[str]:
        command = [str(PNPM), "install", "--no-frozen-lockfile", "--fetch-retries=0", f"--registry={self.npm.url}/"]
        command += [f"--store-dir={app.parent / 'store'}", f"--config.cache-dir={app.parent / 'pnpm-cache'}"]
        environ = {**os.environ, "HOME": str(self.npm.home), "CI": "1"}
        return subprocess.run(command, cwd=app, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(params=["npm", "pnpm"])
def installer(request: pytest.FixtureRequest, npm_program: Sequence[str], tmp_path: Path) -> Callable[[str], Installer]:
    """Makes a client for the registry at a URL."""
    if request.param == "pnpm" and not PNPM.exists():
        pytest.skip("pnpm10 is not installed")
    return lambda url: Installer(Npm(npm_program, tmp_path / "client", url, ""), request.param)


@contextmanager
def before(folder: Path, *, is_poor: bool) -> Iterator[tuple[MoodyUpstream, Served]]:
    with MoodyUpstream(is_poor=is_poor) as upstream, gunicorn(folder, upstream, "--workers", "2") as served:
        yield upstream, served


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MoodyUpstream, Served]]:
    """A server before an upstream that has everything."""
    with before(tmp_path_factory.mktemp("rich"), is_poor=False) as both:
        yield both


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MoodyUpstream, Served]]:
    """A server before the poorest upstream there is."""
    with before(tmp_path_factory.mktemp("poor"), is_poor=True) as both:
        yield both


def publish_tree(upstream: MoodyUpstream, name: str) -> list[str]:
    """Publishes a package that needs others; answers the names of all."""
    leaves = [f"{name}-{number}" for number in range(LEAVES)]
    for leaf in leaves:
        upstream.publish(leaf, "1.0.0", files={"index.js": os.urandom(20_000)})
    upstream.publish(name, "1.0.0", {"dependencies": dict.fromkeys(leaves, "^1.0.0")})
    return [name, *leaves]


def slug(request: pytest.FixtureRequest) -> str:
    """A package's name that no other test has."""
    return "".join(character if character.isalnum() else "-" for character in request.node.callspec.id)


def kept(served: Served, tree: Sequence[str], but: str = "") -> dict[str, list[str]]:
    """What the cache holds of *tree*, each of it what an honest upstream says, except for the packument of *but*."""
    upstream, found = served.upstream, dict[str, list[str]](packuments=[], tarballs=[])
    (part,) = Path(f"{served.storage}-cache").glob("[0-9a-f]*")
    for name in tree:
        for file in part.glob(f"tarballs/{name}/*.tgz"):
            assert file.read_bytes() == upstream.state.tarballs[f"/{name}/-/{file.name}"]
            found["tarballs"].append(name)
        for body in bodies_of(part / "packuments" / name):
            assert name == but or json.loads(body) == upstream.state.packuments[name]
            found["packuments"].append(name)
    return found


def bodies_of(folder: Path) -> list[bytes]:
    """The packuments that are kept in the folder of one: none or one."""
    if not (folder / "entry").exists():
        return []
    entry = msgspec.json.decode((folder / "entry").read_bytes(), type=Entry)
    raw = [file.read_bytes() for file in folder.iterdir() if file.name != "entry"]
    assert len(raw) == entry.has_body
    return [zlib.decompress(one, wbits=zlib.MAX_WBITS | 32) if entry.is_gzipped else one for one in raw]


@pytest.mark.parametrize(
    ("kind", "mood"),
    [
        pytest.param("poor", None, id="poor"),
        pytest.param("rich", moods.slow(0.3), id="slow"),
        pytest.param("rich", moods.flaky(10), id="flaky"),
        pytest.param("poor", moods.flaky(10), id="flaky and poor"),
        pytest.param("rich", moods.each_as(moods.wrong_type), id="wrong type"),
    ],
)
def test_install_succeeds(
    request: pytest.FixtureRequest, installer: Callable[[str], Installer], kind: str, mood: Mood | None
) -> None:
    """The client sees nothing of it, and everything that was installed is kept."""
    upstream, served = request.getfixturevalue(kind)
    tree = publish_tree(upstream, slug(request))
    upstream.mood = mood
    succeeded, said = installer(served.url)(tree[0])
    upstream.mood = None
    assert succeeded, said
    found = kept(served, tree)
    assert sorted(found["packuments"]) == sorted(found["tarballs"]) == sorted(tree)


WRONG, NO_JSON = "other bytes than its packument promises", "not the JSON that its protocol promises"


class Told(NamedTuple):
    """A lie about one package of a tree: about its tarball, or its packument; and what a client hears of it."""

    lie: moods.Lie
    sentence: str
    is_asked_for: str = "packument"
    is_about: str = "packument"


OF_TARBALLS = {
    "wrong bytes": Told(moods.wrong_bytes, WRONG, "tarball", "tarball"),
    "says it is longer": Told(moods.too_long, "did not answer", "tarball", "tarball"),
    "says it is shorter": Told(moods.too_short, WRONG, "tarball", "tarball"),
    "page": Told(moods.web_page, "something else than the tarball", "tarball", "tarball"),
}
OF_PACKUMENTS = {
    "says it is longer": Told(moods.too_long, "did not answer"),
    "says it is shorter": Told(moods.too_short, NO_JSON),
    "truncated gzip": Told(moods.truncated_gzip, "broke off"),
    "page": Told(moods.web_page, NO_JSON),
    "other name": Told(moods.other_name, "another package than the one asked for"),
    "wrong integrity": Told(moods.wrong_integrity, WRONG, "tarball"),  # no tarball is what it promises
}


@pytest.mark.parametrize("lies", [OF_TARBALLS, OF_PACKUMENTS], ids=["tarballs", "packuments"])
@pytest.mark.parametrize(("installer", "most"), [("npm", 10), ("pnpm", 1)], indirect=["installer"], ids=["npm", "pnpm"])
def test_lies(
    request: pytest.FixtureRequest,
    rich: tuple[MoodyUpstream, Served],
    installer: Callable[[str], Installer],
    most: int,
    lies: Mapping[str, Told],
) -> None:
    """The client is told what the upstream did, and nothing is kept of it; the next honest answer is all it takes.

    Each lie is told to npm, and the first to pnpm, too: what is kept and what is said does not depend on who asks.
    """
    upstream, served = rich
    install, trees = installer(served.url), list[list[str]]()
    for name, told in list(lies.items())[:most]:
        trees.append(publish_tree(upstream, f"{slug(request)}-{name.replace(' ', '-')}"))
        assert_lie(served, install, trees[-1], told)
    upstream.mood = None
    succeeded, said = install(*(tree[0] for tree in trees))
    assert succeeded, said
    for tree in trees:
        found = kept(served, tree)
        assert sorted(found["packuments"]) == sorted(found["tarballs"]) == sorted(tree)


def assert_lie(served: Served, install: Installer, tree: Sequence[str], told: Told) -> None:
    upstream = served.upstream
    assert isinstance(upstream, MoodyUpstream)
    paths = {"packument": f"/{tree[1]}", "tarball": f"/{tree[1]}/-/{tree[1]}-1.0.0.tgz"}
    upstream.mood = moods.lying_about(paths[told.is_about], told.lie)
    succeeded, said = install(tree[0])
    assert not succeeded
    assert told.sentence in said_about(served, paths[told.is_asked_for])
    assert install.name != "npm" or told.sentence in said, said
    assert tree[1] not in kept(served, tree, but=tree[1])[f"{told.is_asked_for}s"]


def said_about(served: Served, path: str) -> str:
    """What a client is told that asks for *path*."""
    connection = HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    sentence: str = json.loads(answer.read())["error"]
    connection.close()
    assert answer.status == 502
    return sentence
