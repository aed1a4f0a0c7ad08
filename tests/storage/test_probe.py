"""The probe: storages that keep the promises pass, those that only seem to are told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Changed, Exists, StorageUnavailable
from nproxy_mw.storage import FsspecStorage, LocalStorage, open_storage
from nproxy_mw.storage.port import Revision
from nproxy_mw.storage.probe import probe
from nproxy_mw.storage.s3_requests import S3Requests
from nproxy_mw.testing.engines import free_ports, running
from nproxy_mw.testing.faults import Faulty


class Memory(FsspecStorage):
    """A storage of one test."""

    def __init__(self) -> None:
        super().__init__(MemoryFileSystem(global_store=False, skip_instance_cache=True))


class CreatesTwice(Memory):
    def create(self, key: str, data: bytes) -> Revision:
        try:
            return super().create(key, data)
        except Exists:
            return self._write(key, data)


class ReplacesAnything(Memory):
    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        return self._write(key, data)


class ReplacesNothing(Memory):
    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        raise Changed("always")


class ForgetsRevisions(Memory):
    def read_if_changed(self, key: str, revision: Revision):  # type: ignore[no-untyped-def]
        return self.read(key)


def test_storages_of_this_machine_pass(tmp_path: Path) -> None:
    """A folder and the memory pass, and nothing is left behind."""
    for storage in (LocalStorage(tmp_path), Memory()):
        probe(storage)
        assert list(storage.list()) == []


@pytest.mark.parametrize(
    ("storage", "word"),
    [
        pytest.param(CreatesTwice(), "creates an object over another", id="create"),
        pytest.param(ReplacesAnything(), "replaces an object that has changed", id="replace"),
        pytest.param(ReplacesNothing(), "refuses to replace", id="refuses all"),
        pytest.param(ForgetsRevisions(), "does not return", id="revisions"),
    ],
)
def test_broken_promise_is_told(storage: Memory, word: str) -> None:
    """The sentence says what is wrong and what to use, and nothing is left behind."""
    with pytest.raises(ValueError, match=word) as caught:
        probe(storage)
    assert "Use an S3 engine with conditional writes" in str(caught.value)
    assert list(storage.list()) == []


def test_storage_that_is_down_is_no_broken_promise() -> None:
    """A storage that cannot be asked is StorageUnavailable."""
    with pytest.raises(StorageUnavailable):
        probe(Faulty(Memory(), at=1, times=100))


@pytest.mark.e2e
def test_engine_with_conditional_writes_passes(s3_url: str) -> None:
    """SeaweedFS keeps all promises, also behind what the storage is wrapped in."""
    storage = open_storage(f"{s3_url}/probed")
    probe(storage)
    assert list(storage.list()) == []


@pytest.fixture
def careless_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 engine that takes If-Match and ignores it."""
    program = Path(sys.executable).with_name("localbucket")
    if not program.exists():
        pytest.skip("localbucket is not installed: pip install localbucket")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    with running([str(program), str(tmp_path / "data"), f"--port={port}"], url, tmp_path):
        S3Requests().send("create_bucket", Bucket="tests")
        yield "s3://tests"


@pytest.mark.e2e
def test_engine_that_ignores_conditions_is_refused(careless_engine: str) -> None:
    """An engine that accepts a condition and overwrites all the same is found out."""
    with pytest.raises(ValueError, match="changed meanwhile"):
        probe(open_storage(careless_engine))
