"""Work in the background, one at a time."""

from __future__ import annotations

import threading

from support.logs import messages_of

from nproxy_mw import background
from nproxy_mw.background import Job
from nproxy_mw.errors import StorageUnavailable


def test_work_is_not_begun_twice_at_once():
    """Whoever starts it while it is under way gets the one that is."""
    gate, runs = threading.Event(), list[int]()

    def work():
        runs.append(1)
        gate.wait(30)

    job = Job("work", work)
    for _ in range(5):
        job.start()
    job.wait(0.01)
    assert runs == [1]
    gate.set()
    job.wait(30)
    job.start()
    job.wait(30)
    assert runs == [1, 1]


def test_failure_is_kept_and_not_repeated_at_once(caplog, monkeypatch):
    """The log has it once, and the work is begun again after a pause."""
    monkeypatch.setattr(background, "PAUSE", 3600.0)
    failing = [True]

    def work():
        if failing:
            raise StorageUnavailable("The storage is away.")

    job = Job("work", work)
    for _ in range(3):
        job.start()
        job.wait(30)
    assert messages_of(caplog, background.__name__) == ["work: The storage is away."]
    assert isinstance(job.failure, StorageUnavailable)
    failing.clear()
    monkeypatch.setattr(background, "PAUSE", -1.0)
    job.start()
    job.wait(30)
    assert job.failure is None


def test_bug_is_logged(caplog):
    """With its traceback; the thread ends in silence otherwise."""
    job = Job("broken work", lambda: [][0])
    job.start()
    job.wait(30)
    (record,) = [record for record in caplog.records if record.getMessage() == "broken work failed"]
    assert record.exc_info is not None
    assert record.exc_info[0] is IndexError
