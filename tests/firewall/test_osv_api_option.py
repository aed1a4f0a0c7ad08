"""The OSV API as an option: it is asked about public packages, and what is known counts while it is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.client import Client
from support.osv import malware
from support.scripted_web import ScriptedWeb, as_json, scripted_web

from nproxy_mw.cli import main
from nproxy_mw.intelligence.lists import ListFile
from nproxy_mw.stack import registry
from nproxy_mw.testing.upstream import RecordingUpstream


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedWeb]:
    """It knows that left-pad 1.1.0 is malware. Answers are kept below a folder of this test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scripted_web() as web:
        web.pages = {"/v1/query": as_json({"vulns": [malware("MAL-1", "left-pad", "1.1.0")]})}
        yield web


def client_of(tmp_path: Path, upstream: RecordingUpstream, api: ScriptedWeb, **options: Any) -> Client:
    return Client(
        registry(str(tmp_path / "store"), internal_scopes=["@acme"], upstream=upstream.url, osv_api=api.url, **options)
    )


def test_what_the_api_knows_is_held(tmp_path: Path, upstream: RecordingUpstream, api: ScriptedWeb) -> None:
    """It is told one public name, once for all processes; an internal name never."""
    for _ in range(2):
        client = client_of(tmp_path, upstream, api)
        assert list(client.get("/left-pad").json["versions"]) == ["1.0.0"]
        assert client.get("/left-pad/-/left-pad-1.1.0.tgz").status == 403
        client.get("/@acme/secret")
    assert [json.loads(body)["package"]["name"] for _, body in api.asked] == ["left-pad"]


def test_api_that_is_away_blocks_nothing(tmp_path: Path, upstream: RecordingUpstream, api: ScriptedWeb) -> None:
    """The rules fail open; what another source knows counts all the same."""
    api.pages = {}
    blocklist = tmp_path / "list.txt"
    blocklist.write_text("left-pad@1.0.0 # ours\n")
    client = client_of(tmp_path, upstream, api, intelligence=ListFile(blocklist))
    assert list(client.get("/left-pad").json["versions"]) == ["1.1.0"]


def test_program_has_the_option(
    tmp_path: Path, upstream: RecordingUpstream, api: ScriptedWeb, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a flag, and the sentence for what is no URL."""
    store = ("--storage", str(tmp_path / "store"), "--upstream", upstream.url)
    assert main(["settings", "set", "internalScopes=@acme", "--storage", str(tmp_path / "store")]) == 0
    capsys.readouterr()
    assert main(["explain", "left-pad@1.1.0", *store, "--osv-api", api.url]) == 1
    assert "MAL-1 reports this version as malware" in capsys.readouterr().out
    assert main(["explain", "left-pad", *store, "--osv-api", "ftp://x"]) == 2
    assert "--osv-api is not a URL like https://osv.example" in capsys.readouterr().err
