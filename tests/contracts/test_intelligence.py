"""Every `Intelligence` that the library has keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.osv import malware
from support.scripted_web import Reply, as_json, scripted_web

from nproxy_mw.intelligence.combined import Combined
from nproxy_mw.intelligence.lists import ListFile
from nproxy_mw.intelligence.osv_answers import Answers
from nproxy_mw.intelligence.osv_api import OsvApi
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import parse_record
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.intelligence.web import Web
from nproxy_mw.testing import IntelligenceContract

EVIL = malware("MAL-1", "evil", "1.0.1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[OsvDatabase]:
    path = tmp_path / "osv.db"
    build(path, [parse_record(json.dumps(EVIL).encode())], built="2026-11-26T12:00:00.000Z", source="test")
    found = OsvDatabase(path)
    yield found
    found.close()


@pytest.fixture
def listed(tmp_path: Path) -> ListFile:
    path = tmp_path / "bad.txt"
    path.write_text("evil@1.0.1  # hijacked\n")
    return ListFile(path)


class TestOsvDatabase(IntelligenceContract):
    """The local database."""

    @pytest.fixture
    def intelligence(self, database: OsvDatabase) -> Intelligence:
        return database

    @pytest.fixture
    def known(self) -> tuple[str, str]:
        return "evil", "1.0.1"


class TestListFile(TestOsvDatabase):
    """A list in a file."""

    @pytest.fixture
    def intelligence(self, listed: ListFile) -> Intelligence:
        return listed


class TestCombined(TestOsvDatabase):
    """Several sources as one."""

    @pytest.fixture
    def intelligence(self, database: OsvDatabase, listed: ListFile) -> Intelligence:
        return Combined([database, listed])


def answer(body: bytes) -> Reply:
    """What the API says of a package."""
    return as_json({"vulns": [EVIL]} if json.loads(body)["package"]["name"] == "evil" else {})


class TestOsvApi(TestOsvDatabase):
    """The OSV API."""

    @pytest.fixture
    def intelligence(self, tmp_path: Path) -> Iterator[Intelligence]:
        answers = Answers(tmp_path / "answers.db")
        with scripted_web() as server:
            server.pages = {"/v1/query": answer}
            yield OsvApi(server.url, answers=answers, web=Web(timeout=60.0))
        answers.close()
