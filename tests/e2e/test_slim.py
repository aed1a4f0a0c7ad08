"""The slim form and the full form make npm write the same lockfile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.programs import Npm
from support.server import ask
from werkzeug.serving import make_server

from nproxy_mw import registry
from nproxy_mw.http.views import Views
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TREE: dict[tuple[str, str], dict[str, Any]] = {
    ("app-a", "1.0.0"): {"dependencies": {"lib": "^1.0.0", "tool": "~2.1.0"}, "peerDependencies": {"host": ">=1"}},
    ("app-a", "1.1.0-rc.1"): {"dependencies": {"lib": "^2.0.0"}},
    ("host", "1.0.0"): {"engines": {"node": ">=4"}, "license": "MIT"},
    ("host", "2.0.0"): {"engines": {"node": ">=4"}, "licenses": [{"type": "MIT"}], "funding": "https://fund.example"},
    ("lib", "1.0.0"): {"license": {"type": "BSD"}, "deprecated": "use 1.2"},
    ("lib", "1.2.0"): {"license": "Apache-2.0", "dependencies": {"deep": "1 - 2"}, "workspaces": ["a"]},
    ("lib", "2.0.0"): {"dependencies": {"deep": "^2.0.0"}, "bundleDependencies": ["bundled"]},
    ("deep", "1.5.0"): {"scripts": {"test": "x", "prepare": "y"}, "bin": {"deep": "cli.js"}},
    ("deep", "2.0.0"): {"scripts": {"postinstall": "node -v"}, "bin": "cli.js", "directories": {"bin": "bin"}},
    ("tool", "2.1.7"): {"optionalDependencies": {"native": "1"}, "peerDependencies": {"host": "^1.0.0", "extra": "*"},
                        "peerDependenciesMeta": {"extra": {"optional": True}}},
    ("native", "1.0.0"): {"os": ["win32"], "cpu": ["arm64"], "libc": ["musl"], "gypfile": True},
    ("extra", "1.0.0"): {"acceptDependencies": {"lib": "*"}, "readme": "long " * 100, "gitHead": "abc"},
}  # fmt: skip


@contextmanager
def serving(folder: Path, upstream: RecordingUpstream, *, slim: bool) -> Iterator[str]:
    """A registry on the loopback that offers the slim form, or not."""
    app = registry(str(folder), upstream=upstream.url, views=Views(slim=slim))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


@pytest.fixture(scope="module")
def tree() -> Iterator[RecordingUpstream]:
    """Packages that have every field that npm resolves by, and some that it does not."""
    with RecordingUpstream() as upstream:
        for (name, version), manifest in TREE.items():
            upstream.publish(name, version, manifest, tag="next" if "-" in version else "latest")
        yield upstream


@pytest.mark.parametrize(
    "dependencies",
    [
        pytest.param({"app-a": "^1.0.0"}, id="peers, optional and bundled ones"),
        pytest.param({"app-a": "next", "host": "2", "deep": "^1.0.0"}, id="a tag, and two versions of one package"),
        pytest.param({"lib": "*", "tool": "latest", "extra": "1.0.0"}, id="everything"),
    ],
)
def test_lockfile_is_the_same(
    npm_program: Sequence[str], tree: RecordingUpstream, tmp_path: Path, dependencies: dict[str, str]
) -> None:
    """Byte for byte. And the slim form was really served: the two registries answered different documents."""
    locks = []
    for slim in (True, False):
        folder = tmp_path / str(slim)
        with serving(folder / "store", tree, slim=slim) as url:
            npm = Npm(npm_program, folder, url, "")
            app = folder / "app"
            app.mkdir()
            (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": dependencies}))
            npm("install", "--package-lock-only", "--legacy-peer-deps=false", cwd=app)
            locks.append((app / "package-lock.json").read_text().replace(url, "http://npm.acme.example"))
            assert ("gitHead" in ask(f"{url}/extra", headers={"npm-command": "install"})[2].decode()) is not slim
    assert locks[0] == locks[1]
    assert set(dependencies) <= {path.rpartition("/")[2] for path in json.loads(locks[0])["packages"]}
