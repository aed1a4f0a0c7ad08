"""nproxy-mw cache: status and clear."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from support.sources import ScriptedSource

from nproxy_mw.cli import main
from nproxy_mw.npm.names import parse_name
from nproxy_mw.upstream.cache import open_cache
from nproxy_mw.upstream.cached import Cached

Cache = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "cache") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def cached(url: str) -> Cached:
    """A server's cache that holds two packages, one with its tarball."""
    source = ScriptedSource()
    source.publish("node", "1.0.0")
    source.publish("@types/node", "1.0.0")
    cached = open_cache(url, "https://upstream.example").of(source)
    cached.packument(parse_name("node"))
    with cached.tarball(parse_name("@types/node"), "node-1.0.0.tgz") as blob:
        assert b"".join(blob)
    return cached


@pytest.fixture
def cache(url: str, capsys: pytest.CaptureFixture[str]) -> Cache:
    """Runs ``cache``; answers its exit code, what it printed, and what it complained of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["cache", *arguments, "--cache", url])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def kept(cache: Cache) -> dict[str, int]:
    code, out, _ = cache("status", "--json")
    assert code == 0
    return {kind: amount["count"] for kind, amount in json.loads(out)["kept"].items()}


def test_status_shows_what_is_kept_and_what_may_be(cached: Cached, cache: Cache, url: str) -> None:
    """How much of each kind; the size and the bound of a folder."""
    code, out, err = cache("status", "--cache-size", "1G")
    assert code == 0
    kinds = [line.split()[:2] for line in out.splitlines()]
    assert kinds == [["KIND", "COUNT"], ["packuments", "2"], ["tarballs", "1"]]
    if not url.startswith("memory"):
        assert err.endswith(f"K of 1.0G in {url}\n")
        document = json.loads(cache("status", "--json")[1])
        assert document["bytes"] == sum(amount["bytes"] for amount in document["kept"].values()) > 0
        assert document["bound"] == 20 * 2**30


def test_one_package_is_cleared(cached: Cached, cache: Cache) -> None:
    """Its packument and its tarballs go, those of a package with the same last name stay; the server goes on."""
    code, _, err = cache("clear", "@types/node")
    assert (code, err) == (0, "2 things removed.\n")
    assert kept(cache) == {"packuments": 1}
    with cached.tarball(parse_name("@types/node"), "node-1.0.0.tgz") as blob:
        assert b"".join(blob)
    assert kept(cache) == {"packuments": 2, "tarballs": 1}


def test_everything_is_cleared(cached: Cached, cache: Cache, url: str) -> None:
    """Nothing is left; the server fetches what is asked for next."""
    assert cache("clear", "--all")[0] == 0
    assert kept(cache) == {}
    assert cache("status")[2] == f"There is nothing in {url}.\n"
    assert cached.packument(parse_name("node")) is not None
    assert kept(cache) == {"packuments": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clear"], "or give --all"),
        (["clear", "node", "--all"], "or give --all"),
        (["clear", "node@1.0.0"], "name the package alone"),
        (["clear", "../x"], "is not NAME"),
    ],
)
def test_what_is_not_clear_removes_nothing(cached: Cached, cache: Cache, arguments: list[str], sentence: str) -> None:
    """A slip of the fingers empties no cache."""
    code, _, err = cache(*arguments)
    assert code == 2
    assert sentence in err
    assert kept(cache) == {"packuments": 2, "tarballs": 1}


def test_no_cache_has_no_status(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """With --cache none there is nothing to show."""
    assert main(["cache", "status", "--cache", "none"]) == 2
    assert "nothing is kept" in capsys.readouterr().err
