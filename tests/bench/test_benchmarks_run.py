"""A run: who is measured when, and what becomes of failures."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import pytest

from benchmarks.errors import MeasureFailed
from benchmarks.load.own import Own
from benchmarks.measures.port import Measure
from benchmarks.plan import Clock, Plan
from benchmarks.results import Reading, Results
from benchmarks.run import Run
from benchmarks.servers.port import Ability, Running
from benchmarks.upstream.process import UpstreamProcess

PLAN = Plan(True, 100, 6, rounds=2, costly_rounds=1, seconds=0, publishes=1, versions=(1,), many=(1,), growth=0)


class Server:
    """A server that only writes down what happens to it."""

    def __init__(self, name, events, abilities=Ability.PROXY, error=""):
        self.name, self.events, self.abilities, self.error = name, events, abilities, error

    def prepare(self):
        return self.name

    @contextmanager
    def running(self, folder, upstream):
        if self.error:
            raise MeasureFailed(self.error)
        assert folder.is_dir()
        self.events.append(f"start {self.name}")
        yield Running(self.name, "", 0, 0.0, self.abilities)
        self.events.append(f"stop {self.name}")


def measure(name, events, error="", needs=Ability.PROXY, **how):
    """A measure that only writes down whom it met."""

    def run(trial):
        events.append(f"{name} {trial.server.name}")
        yield Reading(name, ("rate",), {"rate": 1.0})
        if error:
            raise MeasureFailed(error)

    return Measure("hot", name, name, needs, run, **how)


@pytest.fixture
def events():
    return []


@pytest.fixture
def new_run(corpus, tmp_path):
    """Makes runs."""
    return partial(
        Run, PLAN, corpus, UpstreamProcess("http://127.0.0.1:1", 0), Own(), tmp_path / "run", say=lambda line: None
    )


@pytest.fixture
def session(new_run):
    return new_run(results=Results(), clock=Clock(PLAN.budget))


def test_standing_servers_alternate(session, events):
    """Each measure goes from server to server before the next one begins, in every round."""
    session.measure([Server("a", events), Server("b", events)], [measure("x", events), measure("y", events)])
    rounds = ["x a", "x b", "y a", "y b"]
    assert events == ["start a", "start b", *rounds, *rounds, "stop b", "stop a"]


def test_fresh_servers_are_started_for_each_round(session, events):
    """One at a time, and stopped before the next starts."""
    session.measure([Server("a", events), Server("b", events)], [measure("x", events, is_fresh=True)])
    assert events == ["start a", "x a", "stop a", "start b", "x b", "stop b"]


def test_costly_measures_have_fewer_rounds(session, events):
    """They are part of the first rounds only; a long one, which takes minutes, is part of the first."""
    wanted = [measure("x", events, is_costly=True), measure("y", events), measure("z", events, is_long=True)]
    session.measure([Server("a", events)], wanted)
    assert events[1:-1] == ["x a", "y a", "z a", "y a"]


def test_only_servers_that_can_are_measured(session, events):
    """A cache takes no publishes."""
    both = Server("b", events, Ability.PUBLISH | Ability.PROXY)
    session.measure([Server("a", events), both], [measure("x", events, needs=Ability.PUBLISH)])
    assert [event for event in events if event.startswith("x")] == ["x b", "x b"]


def test_samples_name_round_and_server(session, events):
    """So medians can be taken."""
    session.measure([Server("a", events)], [measure("x", events)])
    assert [(one.server, one.round, one.values) for one in session.results.samples] == [
        ("a", 0, {"rate": 1.0}),
        ("a", 1, {"rate": 1.0}),
    ]


def test_failures_become_remarks(session, events):
    """What was read before stays; the run goes on."""
    session.measure(
        [Server("a", events, error="The port is taken."), Server("b", events)],
        [measure("x", events, "It is broken."), measure("y", events)],
    )
    assert session.results.remarks == ["a did not start: The port is taken.", "b, x: It is broken."]
    assert [event for event in events if event.startswith("y")] == ["y b", "y b"]


def test_nothing_begins_after_the_budget(new_run, events):
    """A run ends with a sentence, not with a surprise."""
    times = iter(range(0, 1000, 40))
    session = new_run(results=Results(), clock=Clock(100, lambda: next(times)))
    session.measure([Server("a", events)], [measure("x", events)] * 9)
    assert 0 < events.count("x a") < 4
    assert session.results.remarks == ["The budget of 100 seconds was used up before all rounds were done."]
    assert events[-1] == "stop a"


def test_each_start_has_a_folder_of_its_own(session, events, tmp_path):
    """They stay until the run ends: no server pays for the removal of what another one stored."""
    session.measure([Server("a", events)], [measure("x", events), measure("y", events, is_fresh=True)])
    assert len({*(tmp_path / "run").iterdir()}) == events.count("start a") > 1
