"""Growing: a reader follows the file that it opened, whatever becomes of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.upstream.growing import CHUNK, Growing

DATA = bytes(range(256)) * (3 * CHUNK // 256)


def test_file_that_is_whole_is_read_to_its_end(tmp_path: Path) -> None:
    """Also when the next one of its name is begun meanwhile, and fails."""
    first = Growing.begin(tmp_path / "a", len(DATA))
    blob = first.blob(None)
    first.write(DATA)
    first.finish()
    chunks = iter(blob)
    found = next(chunks)
    Growing.begin(tmp_path / "a", 1).fail("it broke off")
    assert found + b"".join(chunks) == DATA


def test_file_that_fails_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Its reader has the first bytes, and never the last ones."""
    growing = Growing.begin(tmp_path / "a", len(DATA))
    blob = growing.blob(None)
    growing.write(DATA)
    chunks = iter(blob)
    assert DATA.startswith(next(chunks))
    growing.fail("it is wrong")
    with pytest.raises(UpstreamUnavailable, match="it is wrong"):
        list(chunks)
