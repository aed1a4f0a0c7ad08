"""A storage, a clock that stands still, and a trail."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.storage import open_storage


class StandingClock:
    """A clock that goes on only when told to."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, **time):
        self.now += timedelta(**time)


class Watched:
    """A storage that counts its calls, and fails at those that *broken* names."""

    def __init__(self, storage):
        self.storage = storage
        self.calls = []
        self.broken = {}

    def __getattr__(self, verb):
        real = getattr(self.storage, verb)

        def call(key="", *args, **keywords):
            self.calls.append((verb, key))
            for (broken, part), error in self.broken.items():
                if broken == verb and part in key:
                    raise error
            return real(key, *args, **keywords)

        return call


@pytest.fixture(params=["memory", "local"])
def storage(request, tmp_path):
    return Watched(
        open_storage(f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path / "store"))
    )


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def trail(storage, clock):
    return Trail(storage, org="acme", clock=clock)


@pytest.fixture
def actor():
    return Actor(name="ann", request_id="r1", ip="192.0.2.7", user_agent="curl/8")
