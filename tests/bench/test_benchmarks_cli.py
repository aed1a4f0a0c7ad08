"""``python -m benchmarks``."""

from __future__ import annotations

import json
import shutil
import signal
from argparse import ArgumentParser
from dataclasses import replace

import pytest

from benchmarks.cli import main
from benchmarks.commands import running
from benchmarks.commands.upstream import add_weather_options, weather_of
from benchmarks.errors import CannotRun
from benchmarks.load.own import Own
from benchmarks.plan import FULL, QUICK


@pytest.fixture(autouse=True)
def signals():
    """The program's own handlers do not outlive a test."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def parsed(*arguments):
    parser = ArgumentParser()
    running.add_to(parser.add_subparsers())
    return parser.parse_args(["run", *arguments])


@pytest.mark.parametrize("command", ["", "run", "list", "corpus", "upstream", "report"])
def test_help_teaches(command, capsys):
    """Every command explains itself, and ends well."""
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "usage: python -m benchmarks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--only", "heat"], "no measure heat"),
        (["run", "--servers", "nobody"], "no server nobody"),
        (["run", "--fault", "fire:1"], "is not a fault"),
        (["run", "--peer", "x"], "A peer is"),
        (["run", "--rounds", "0"], "positive"),
        (["upstream", "nowhere"], "not a corpus"),
        (["report", "nowhere"], "no results"),
        (["corpus", "."], "is there already"),
    ],
)
def test_mistakes_are_sentences(arguments, message, capsys, tmp_path, monkeypatch):
    """Exit code 2, and what to do instead."""
    monkeypatch.chdir(tmp_path)
    work = ["--work", str(tmp_path)] if arguments[0] == "run" else []
    assert main([*arguments, *work]) == 2
    assert message in capsys.readouterr().err


def test_options_change_the_plan():
    """Only what is given."""
    assert running.plan_of(parsed("--quick")) == QUICK
    assert running.plan_of(parsed()) == FULL
    plan = running.plan_of(parsed("--rounds", "7", "--seconds", "0.5", "--budget", "10"))
    assert (plan.rounds, plan.costly_rounds, plan.seconds, plan.budget) == (7, 7, 0.5, 10)


def test_the_weather_is_handed_on():
    """The upstream of a run is as poor and slow as the run is asked to make it."""
    parser = ArgumentParser()
    add_weather_options(parser)
    given = ["--latency-ms", "300.0", "--fault", "503:10", "--fault", "cut:7", "--no-etag"]
    assert weather_of(parser.parse_args(given)) == given
    assert parser.parse_args(weather_of(parser.parse_args(given))) == parser.parse_args(given)
    with pytest.raises(CannotRun, match="is not a fault"):
        weather_of(parser.parse_args(["--fault", "fire:1"]))


def test_a_corpus_is_generated(tmp_path, capsys, small_sizes):
    """The command says how large it is."""
    assert main(["corpus", str(tmp_path / "new"), "--packages", "3"]) == 0
    assert "3 packuments" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "new" / "index.json").read_bytes())["packuments"]) == 3


@pytest.mark.e2e
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_a_whole_run(tmp_path, corpus, monkeypatch, capsys):
    """Our server and the upstream itself: figures of every group, nothing wrong, nothing lost."""
    small = {"rounds": 1, "seconds": 0.0, "publishes": 3, "versions": (2,), "many": (3,)}
    monkeypatch.setattr(running, "QUICK", replace(QUICK, **small))
    monkeypatch.setattr(running, "generator", Own)
    out = tmp_path / "out"
    names = "direct,nproxy-mw-gunicorn"
    place = ["--work", str(tmp_path / "work"), "--out", str(out), "--corpus", str(corpus.folder)]
    assert main(["run", "--quick", "--servers", names, *place]) == 0
    samples = [json.loads(line) for line in (out / "benchmarks" / "samples.jsonl").read_text().splitlines()]
    assert {one["group"] for one in samples if one["server"] == "nproxy-mw-gunicorn"} == {
        "start",
        "stampede",
        "tree",
        "hot",
        "npm",
        "publish",
        "growth",
        "many",
        "memory",
    }
    assert {one["server"] for one in samples} == set(names.split(","))
    assert not [one for one in samples if one["values"].get("bad") or one["values"].get("lost")]
    assert json.loads((out / "benchmarks" / "about.json").read_text())["remarks"] == []
    assert [one.name for one in (tmp_path / "work").iterdir()] == ["template"]
    assert str(out / "benchmarks.md") in capsys.readouterr().out
