"""Load generators, and the crowd that works through a list."""

from __future__ import annotations

import pytest
from support.ports import silent_url

from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import ask, work_through
from benchmarks.http.messages import Request
from benchmarks.load.own import Own, Tally, summary
from benchmarks.load.port import Load
from benchmarks.load.wrk import Wrk, outcome
from benchmarks.upstream.process import running

WRK = """\
Running 1s test @ http://127.0.0.1:1/
OUTCOME {"requests":4000,"errors":2,"microseconds":2000000,"size":8000,"p50":150,"p99":2500}
"""


@pytest.fixture
def upstream(corpus, tmp_path):
    """A running upstream."""
    with running(corpus, tmp_path / "upstream") as upstream:
        yield upstream


def test_what_wrk_prints_is_read():
    """Microseconds become milliseconds and seconds."""
    found = outcome(WRK)
    assert (found.requests, found.errors, found.seconds, found.size) == (4000, 2, 2.0, 8000)
    assert (found.p50_ms, found.p99_ms) == (0.15, 2.5)


@pytest.mark.parametrize("text", ["", "unable to connect", WRK.replace("4000", "0")])
def test_wrk_without_answers_is_a_failure(text):
    """No answer is no figure."""
    with pytest.raises(MeasureFailed):
        outcome(text)


def test_processes_are_added_up():
    """Counts add up, the longest process decides about the time, latencies are those of all."""
    found = summary([Tally([0.001] * 99, 1, 10, 2.0), Tally([0.5], 2, 20, 3.0)])
    assert (found.requests, found.errors, found.size, found.seconds) == (100, 3, 30, 3.0)
    assert (found.p50_ms, found.p99_ms) == (1.0, 1.0)


def test_no_answer_is_a_failure():
    """A dead server has no latency."""
    with pytest.raises(MeasureFailed):
        summary([Tally([], 5)])
    with silent_url() as url, pytest.raises(MeasureFailed):
        Own().drive(Load(url, Request("/"), 2, 0))


@pytest.mark.parametrize("processes", [1, 2])
def test_each_connection_sends_at_least_one_request(upstream, processes):
    """So the slowest server has a figure, too."""
    found = Own(processes).drive(Load(upstream.url, Request("/-/ping"), 4, 0))
    assert (found.requests, found.errors, found.size) == (4, 0, 8)
    assert upstream.requests("/-/ping") == 4


def test_refusals_are_errors(upstream):
    """A 404 is not counted as an answer."""
    with pytest.raises(MeasureFailed):
        Own().drive(Load(upstream.url, Request("/unknown"), 1, 0))


@pytest.mark.skipif(not Wrk().is_there, reason="wrk is not installed")
def test_wrk_sends_the_headers(upstream, corpus):
    """A conditional request that wrk sends is 304, which has no body."""
    target = next(iter(corpus.packuments.values())).target
    etag = ask(upstream.url, Request(target)).headers["etag"]
    found = Wrk().drive(Load(upstream.url, Request(target, {"if-none-match": etag}), 2, 1))
    assert found.errors == 0
    assert found.size / found.requests < 500


def test_a_crowd_keeps_the_order(upstream, corpus):
    """Exchanges stand in the order of the requests, also those that failed."""
    targets = [one.target for one in corpus.packuments.values()] + ["/unknown"]
    work = work_through(upstream.url, [Request(target) for target in targets], 3)
    assert [one.response.status for one in work.exchanges] == [200] * 6 + [404]
    assert [one.response.size for one in work.exchanges][:6] == [p.sizes["full"] for p in corpus.packuments.values()]


def test_a_crowd_reports_what_failed():
    """Nobody listens: each exchange says so."""
    with silent_url() as url:
        exchanges = work_through(url, [Request("/")] * 3, 2).exchanges
        with pytest.raises(MeasureFailed, match="GET / was not answered"):
            ask(url, Request("/"))
    assert [one.response for one in exchanges] == [None] * 3
    assert all(one.error for one in exchanges)
