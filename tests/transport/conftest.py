"""Upstreams for the transport."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nproxy_mw.testing.upstream import RecordingUpstream


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


@pytest.fixture
def other() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running
