"""Upstreams whose versions have times: old ones, and one that is held because it is of this minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp


def date_versions(upstream: RecordingUpstream, name: str, times: Mapping[str, datetime]) -> None:
    """Says when the versions of the package *name* were published; the package was created with the first of them."""
    dated = {"created": min(times.values()), **times}
    upstream.state.packuments[name]["time"] = {key: timestamp(time) for key, time in dated.items()}


@contextmanager
def upstream_with_a_young_version(now: datetime, *names: str) -> Iterator[RecordingUpstream]:
    """An upstream with each of *names*, ``axios`` if none is named: 1.0.0 of long ago and 1.1.0 of *now*."""
    with RecordingUpstream() as upstream:
        for name in names or ("axios",):
            upstream.publish(name, "1.0.0")
            upstream.publish(name, "1.1.0")
            date_versions(upstream, name, {"1.0.0": now - timedelta(days=400), "1.1.0": now})
        yield upstream
