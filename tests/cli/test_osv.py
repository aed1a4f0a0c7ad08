"""nproxy-mw osv: update and status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.osv import affected, archive, events, malware, record
from support.scripted_web import scripted_web

from nproxy_mw.cli import main
from nproxy_mw.intelligence.osv_database import OsvDatabase

Osv = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "osv.db"


@pytest.fixture
def osv(path: Path, capsys: pytest.CaptureFixture[str]) -> Osv:
    """Runs ``osv`` on a database; answers its exit code, what it printed, and what it complained of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["osv", *arguments, "--osv", str(path)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_update_and_status(osv: Osv, path: Path, tmp_path: Path) -> None:
    """From an archive, again from the same, and what is there then."""
    place = tmp_path / "all.zip"
    flaw = record("GHSA-1", affected(events(("introduced", "0"))))
    place.write_bytes(archive(malware("MAL-1", "evil"), flaw, more={"bad.json": b"{}"}))
    code, out, err = osv("update", "--source", str(place))
    held = "2 records about 2 packages, 1 of them malware"
    assert (code, out.splitlines()[0], out.splitlines()[-1]) == (0, held, f"from {place}")
    assert err.splitlines() == ["Left out: bad.json: This is not an OSV record.", "2 records read, 1 left out."]
    assert osv("update")[0] == 0
    code, out, err = osv("status")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == held


def test_changes_from_a_url(osv: Osv, path: Path) -> None:
    """All of it first, then only what changed."""
    with scripted_web() as server:
        server.pages = {"/npm/all.zip": archive(malware("MAL-1", "evil"), malware("MAL-2", "bad"))}
        assert osv("update", "--source", f"{server.url}/npm")[0] == 0
        server.pages |= {
            "/npm/modified_id.csv": b"2026-11-25T00:00:00Z,MAL-3\n",
            "/npm/MAL-3.json": json.dumps(malware("MAL-3", "worse")).encode(),
        }
        assert osv("update", "--changes")[2] == "1 record read, 0 left out.\n"
    database = OsvDatabase(path)
    assert database.by_id("MAL-3")
    database.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["update"], "Say where the records are", id="no place is known"),
        pytest.param(["update", "--source", "/no/such/place"], "no file and no folder", id="a place that is none"),
        pytest.param(["update", "--source", "ftp://osv.example/npm"], "begins with https", id="another scheme"),
    ],
)
def test_refused(osv: Osv, path: Path, arguments: list[str], words: str) -> None:
    """A sentence says what to give, and nothing is there afterwards."""
    code, out, err = osv(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not path.exists()


def test_status_without_a_database(osv: Osv) -> None:
    """It says how to make one."""
    code, out, err = osv("status")
    assert (code, out) == (1, "")
    assert "nproxy-mw osv update" in err
