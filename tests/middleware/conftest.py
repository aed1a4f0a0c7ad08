"""Upstreams, and a client of Forwarder in front of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.forwarding import Client

from nproxy_mw.testing.upstream import RecordingUpstream


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


@pytest.fixture
def poor() -> Iterator[RecordingUpstream]:
    with RecordingUpstream(is_poor=True) as running:
        yield running


@pytest.fixture
def client(upstream: RecordingUpstream) -> Client:
    return Client(upstream.url)
