"""What the tests of the benchmarks share."""

from __future__ import annotations

import pytest

from benchmarks.corpus import synthetic
from benchmarks.corpus.synthetic import generate
from benchmarks.system.ports import free_port


@pytest.fixture
def small_sizes(monkeypatch):
    """Generated corpora have no object above 100 kB."""
    limits = {"SMALL": 20_000, "MIDDLE": 50_000, "BIG": 90_000, "SMALL_TARBALL": 3_000, "BIG_TARBALL": 90_000}
    for name, size in limits.items():
        monkeypatch.setattr(synthetic, name, size)
    for name in ("PACKUMENTS", "TARBALLS"):
        monkeypatch.setattr(synthetic, name, ((0.0, 6_000), (1.0, 60_000)))


@pytest.fixture
def corpus(tmp_path, small_sizes):
    """A corpus of six packages, at an address of its own."""
    return generate(tmp_path / "corpus", 6, f"http://127.0.0.1:{free_port()}")
