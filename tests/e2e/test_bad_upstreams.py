"""npm and pnpm before upstreams that are poor, slow, flaky or lying: it works, or the error is the upstream's.

Whatever an upstream does, nothing wrong is kept of it. pnpm runs where ``NPROXY_TEST_CLIENTS`` has ``pnpm10``, as
``test_clients`` says.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support import moods
from support.moods import Mood, MoodyUpstream
from support.programs import Npm, Served, gunicorn

from nproxy_mw.storage import LocalStorage
from nproxy_mw.upstream.entries import Entries

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

LEAVES = 8
PNPM = Path(os.environ.get("NPROXY_TEST_CLIENTS", "/none")) / "pnpm10" / "node_modules" / ".bin" / "pnpm"


@dataclass
class Installer:
    """A client without retries that installs an application with one dependency."""

    npm: Npm
    name: str

    def __call__(self, dependency: str) -> tuple[bool, str]:
        """Whether it went well, and what the client said."""
        app = self.npm.folder / "app"
        app.mkdir(exist_ok=True)
        document = {"name": "app", "version": "1.0.0", "dependencies": {dependency: "*"}}
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
        for file in part.glob(f"tarballs/{name}+*.tgz"):
            assert file.read_bytes() == upstream.state.tarballs[f"/{name}/-/{file.name.replace('+', '-', 1)}"]
            found["tarballs"].append(name)
        for body in bodies_of(part, name):
            assert name == but or json.loads(body) == upstream.state.packuments[name]
            found["packuments"].append(name)
    return found


def bodies_of(part: Path, name: str) -> list[bytes]:
    """The packuments that are kept of one package: none or one."""
    kept = Entries(LocalStorage(part), "packuments")
    found = kept.find(name)
    if found is None or not found.entry.has_body:
        return []
    document = kept.load(name, found.entry, name)
    assert document is not None
    return [document.raw]


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
OF_TARBALLS = [
    pytest.param(moods.wrong_bytes, WRONG, id="tarball of wrong bytes"),
    pytest.param(moods.too_long, "did not answer", id="tarball that says it is longer"),
    pytest.param(moods.too_short, WRONG, id="tarball that says it is shorter"),
    pytest.param(moods.web_page, "something else than the tarball", id="page for a tarball"),
]
OF_PACKUMENTS = [
    pytest.param(moods.too_long, "did not answer", id="packument that says it is longer"),
    pytest.param(moods.too_short, NO_JSON, id="packument that says it is shorter"),
    pytest.param(moods.truncated_gzip, "broke off", id="truncated gzip"),
    pytest.param(moods.web_page, NO_JSON, id="page for a packument"),
    pytest.param(moods.other_name, "another package than the one asked for", id="packument of another name"),
]


def told_to(cases: list[Any]) -> Any:
    """Each lie told to npm, and the first to pnpm, too: what is kept and what is said does not depend on who asks."""
    clients = [pytest.param("npm", *case.values, id=f"npm-{case.id}") for case in cases]
    clients.append(pytest.param("pnpm", *cases[0].values, id=f"pnpm-{cases[0].id}"))
    return pytest.mark.parametrize(("installer", "lie", "sentence"), clients, indirect=["installer"])


@told_to(OF_TARBALLS)
def test_lie_about_a_tarball(
    request: pytest.FixtureRequest, installer: Callable[[str], Installer], lie: moods.Lie, sentence: str
) -> None:
    """The client is told what the upstream did, and nothing is kept; the next honest answer is all it takes."""
    upstream, served = request.getfixturevalue("rich")
    tree = publish_tree(upstream, slug(request))
    path = f"/{tree[1]}/-/{tree[1]}-1.0.0.tgz"
    assert_lie(served, installer(served.url), tree, path, moods.lying_about(path, lie), sentence)


@told_to(OF_PACKUMENTS)
def test_lie_about_a_packument(
    request: pytest.FixtureRequest, installer: Callable[[str], Installer], lie: moods.Lie, sentence: str
) -> None:
    """As with a tarball: nothing is kept of what is not the packument."""
    upstream, served = request.getfixturevalue("rich")
    tree = publish_tree(upstream, slug(request))
    assert_lie(served, installer(served.url), tree, f"/{tree[1]}", moods.lying_about(f"/{tree[1]}", lie), sentence)


@pytest.mark.parametrize("installer", ["npm"], indirect=True)
def test_packument_with_a_wrong_integrity(
    request: pytest.FixtureRequest, installer: Callable[[str], Installer]
) -> None:
    """No tarball is what it promises, so none is kept; and the packument is asked for again."""
    upstream, served = request.getfixturevalue("rich")
    tree = publish_tree(upstream, f"{slug(request)}-wrong-integrity")
    path, mood = f"/{tree[1]}/-/{tree[1]}-1.0.0.tgz", moods.lying_about(f"/{tree[1]}", moods.wrong_integrity)
    assert_lie(served, installer(served.url), tree, path, mood, WRONG)


def assert_lie(served: Served, install: Installer, tree: Sequence[str], path: str, mood: Mood, sentence: str) -> None:
    upstream = served.upstream
    assert isinstance(upstream, MoodyUpstream)
    upstream.mood = mood
    succeeded, said = install(tree[0])
    assert not succeeded
    assert sentence in told(served, path)
    assert install.name != "npm" or sentence in said, said
    assert tree[1] not in kept(served, tree, but=tree[1])["tarballs" if path.endswith(".tgz") else "packuments"]
    upstream.mood = None
    succeeded, said = install(tree[0])
    assert succeeded, said
    found = kept(served, tree)
    assert sorted(found["packuments"]) == sorted(found["tarballs"]) == sorted(tree)


def told(served: Served, path: str) -> str:
    """What a client is told that asks for *path*."""
    connection = HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    sentence: str = json.loads(answer.read())["error"]
    connection.close()
    assert answer.status == 502
    return sentence
