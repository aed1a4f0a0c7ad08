"""Rates: how often somebody asked lately, counted by all processes of a host."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import Clock

from nproxy_mw.storage import rates
from nproxy_mw.storage.rates import MINUTE, Rates, paid_at


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(1_000_000.0)


def taken(counts: Rates, who: str, per_minute: int, times: int) -> int:
    """How many of so many times in a row are granted."""
    return sum(counts.take(who, per_minute) == 0 for _ in range(times))


@pytest.mark.parametrize("per_minute", [1, 7, 60, 1000])
def test_a_minutes_worth_is_granted_at_once_and_no_more(tmp_path: Path, clock: Clock, per_minute: int) -> None:
    """From one who did not ask before."""
    assert taken(Rates(tmp_path, clock=clock), "ann", per_minute, per_minute + 5) == per_minute


def test_wait_that_is_told_is_enough(tmp_path: Path, clock: Clock) -> None:
    """And a little less is not."""
    counts = Rates(tmp_path, clock=clock)
    taken(counts, "ann", 6, 6)
    wait = counts.take("ann", 6)
    assert wait == pytest.approx(10)
    clock.now += wait - 0.01
    assert counts.take("ann", 6) > 0
    clock.now += 0.02
    assert counts.take("ann", 6) == 0


def test_refused_times_do_not_count(tmp_path: Path, clock: Clock) -> None:
    """Who asks on and on while they must wait waits no longer."""
    counts = Rates(tmp_path, clock=clock)
    taken(counts, "ann", 2, 2)
    assert {counts.take("ann", 2) for _ in range(100)} == {30.0}


def test_callers_have_limits_of_their_own(tmp_path: Path, clock: Clock) -> None:
    """A caller who is refused leaves the others alone."""
    counts = Rates(tmp_path, clock=clock)
    taken(counts, "ann", 1, 2)
    assert counts.take("bob", 1) == 0


def test_full_row_never_refuses_a_stranger(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one row for all, each new caller is granted, and the one who owes most is remembered."""
    monkeypatch.setattr(rates, "ROWS", 1)
    counts = Rates(tmp_path, clock=clock)
    taken(counts, "ann", 10, 10)
    assert all(counts.take(f"stranger {number}", 10) == 0 for number in range(50))
    assert counts.take("ann", 10) > 0
    assert (tmp_path / "counts").stat().st_size <= rates.PLACES * 16


def test_two_objects_on_one_folder_count_together(tmp_path: Path, clock: Clock) -> None:
    """As the organizations of one server, or its workers, do."""
    one, other = Rates(tmp_path, clock=clock), Rates(tmp_path, clock=clock)
    assert taken(one, "ann", 4, 2) + taken(other, "ann", 4, 4) == 4


def test_processes_count_together(tmp_path: Path) -> None:
    """What another process took is taken here too."""
    program = "import sys, pathlib; from nproxy_mw.storage.rates import Rates\n"
    program += "r = Rates(pathlib.Path(sys.argv[1]), clock=lambda: 5e8)\n"
    program += "print(sum(r.take('ann', 5) == 0 for _ in range(3)))"
    done = [
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert [one.stdout.strip() for one in done] == ["3", "2", "0"]


def test_threads_lose_no_count(tmp_path: Path, clock: Clock) -> None:
    """Of a hundred at once, as many as allowed are granted."""
    counts = Rates(tmp_path, clock=clock)
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda _: counts.take("ann", 40), range(100)))
    assert granted.count(0) == 40


def test_process_without_a_folder_counts_alone(clock: Clock) -> None:
    """Storage in memory has no folder to share."""
    counts = Rates(None, clock=clock)
    assert taken(counts, "ann", 3, 5) == 3
    assert taken(Rates(None, clock=clock), "ann", 3, 5) == 3


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path, clock: Clock) -> None:
    """The process counts alone, and the log says so."""
    (tmp_path / "file").touch()
    assert taken(Rates(tmp_path / "file", clock=clock), "ann", 3, 5) == 3


def test_file_is_for_this_user_alone(tmp_path: Path) -> None:
    """It tells how busy callers are."""
    Rates(tmp_path / "rates").take("ann", 1)
    assert stat.S_IMODE((tmp_path / "rates").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "rates" / "counts").stat().st_mode) == 0o600


def test_cut_file_is_an_empty_one(tmp_path: Path, clock: Clock) -> None:
    """Nobody is refused for what somebody else did to the file."""
    counts = Rates(tmp_path, clock=clock)
    taken(counts, "ann", 3, 3)
    (tmp_path / "counts").write_bytes(b"x")
    assert counts.take("ann", 3) == 0


@given(before=st.integers(0, 2**64 - 1), now=st.integers(0, 2**50), per_minute=st.integers(1, 100_000))
def test_nobody_waits_longer_than_one_part_of_a_minute(before: int, now: int, per_minute: int) -> None:
    """Whatever stands in the file, a clock that was set back included."""
    assert now < paid_at(before, now, per_minute) <= now + MINUTE + MINUTE // per_minute
