"""What is asked when something is wrong with a package: explain, installs, exposure, replay and osv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.dated import upstream_with_a_young_version
from support.osv import affected, archive, events, malware, record
from support.registry import ACTOR

from nproxy_mw import organization_at
from nproxy_mw.cli import main
from nproxy_mw.ledger.facts import Count, InstallKey, encode
from nproxy_mw.storage.layout import INSTALLS
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

NOW = datetime.now(UTC)


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """axios, with an old version and one of this minute."""
    with upstream_with_a_young_version(NOW) as upstream:
        yield upstream


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with a token, @acme, and installs of a day ago, of ten days ago and of now."""
    url = str(tmp_path / "store")
    assert main(["settings", "set", "internalScopes=@acme", "--storage", url]) == 0
    organization = organization_at(url)
    _, token = organization.tokens.create("ci", ["proxy"], actor=ACTOR)
    for days, package, version, ip in (
        (10, "axios", "1.0.0", "192.0.2.1"),
        (1, "axios", "1.1.0", "192.0.2.1"),
        (0, "@acme/utils", "2.0.0", "192.0.2.2"),
    ):
        then = NOW - timedelta(days=days)
        facts = encode({InstallKey(package, version, token.id, ip): Count(3, then.timestamp(), then.timestamp())})
        organization.storage.create(INSTALLS.key(f"{then:%Y/%m/%d}", f"00-{days:016x}"), facts)
    return url


@pytest.fixture
def run(store: str, capsys: pytest.CaptureFixture[str]):
    """Runs the program on the store: exit code, output, and what was said beside it."""
    capsys.readouterr()

    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--storage", store])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A database of advisories: axios up to 1.1.0 is vulnerable, "evil" is malware."""
    source = tmp_path / "all.zip"
    hole = record("GHSA-1", affected(events(("introduced", "1.1.0"), ("fixed", "1.2.0")), package="axios"))
    source.write_bytes(archive(hole, malware("MAL-1", "evil")))
    path = str(tmp_path / "osv.db")
    assert main(["osv", "update", "--osv", path, "--source", str(source)]) == 0
    capsys.readouterr()
    return path


# Explain.


def test_held_version_is_explained(run, upstream: RecordingUpstream) -> None:
    """With what to use instead and each rule's word; the exit code says no."""
    code, out, _ = run("explain", "axios@latest", "--upstream", upstream.url)
    assert code == 1
    assert f"axios@1.1.0 is held until {timestamp(NOW + timedelta(hours=48))}." in out
    assert "Install axios@1.0.0 instead." in out
    (word,) = [line for line in out.splitlines() if line.startswith("version_age")]
    assert "block" in word
    assert "yes" in word


def test_allowed_version_and_package_are_explained(run, upstream: RecordingUpstream) -> None:
    """The exit code of both is 0."""
    code, out, _ = run("explain", "axios@1.0.0", "--upstream", upstream.url, "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "allowed")
    code, out, _ = run("explain", "axios", "--upstream", upstream.url)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["1.1.0", "held"], ["1.0.0", "allowed"]]
    code, out, _ = run("explain", "axios@9.9.9", "--upstream", upstream.url)
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("axios@9.9.9 is not there: the upstream has no such version or dist-tag; 'nproxy-mw explain")


def test_excepted_version_is_explained(run, store: str, upstream: RecordingUpstream) -> None:
    """Until when the exception holds is said at the top, and of the rules that flag the version, not of all."""
    end = timestamp(NOW + timedelta(days=3))
    exception = {"package": "axios", "reason": "reviewed", "expiresAt": end}
    organization_at(store).settings.change({"exceptions": [exception]}, actor=ACTOR)
    code, out, _ = run("explain", "axios@1.1.0", "--upstream", upstream.url)
    assert code == 0
    assert f"axios@1.1.0 is allowed by an exception until {end}." in out
    (word,) = [line for line in out.splitlines() if "lets it through" in line]
    assert word.startswith("version_age")


def test_explanation_comes_from_the_cache_when_offline(run, upstream: RecordingUpstream) -> None:
    """Without one question to the upstream; what was never kept cannot be explained."""
    assert run("explain", "axios", "--upstream", upstream.url)[0] == 0
    upstream.requests.clear()
    assert run("explain", "axios@1.1.0", "--upstream", upstream.url, "--offline")[0] == 1
    assert run("explain", "lodash", "--upstream", upstream.url, "--offline")[0] == 2
    assert upstream.requests == []


def test_explanation_changes_nothing(run, store: str, upstream: RecordingUpstream) -> None:
    """No event is written and no decision is stored: both are the servers' to make."""
    before = sorted(organization_at(store).storage.list())
    run("explain", "axios@1.1.0", "--upstream", upstream.url)
    assert sorted(organization_at(store).storage.list()) == before
    assert not [path for path in Path(f"{store}-cache").rglob("*") if "decision" in path.name]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("@acme/utils", "--upstream", "http://127.0.0.1:9"), "is internal"),
        (("axios", "--upstream", "none"), "no upstream"),
        (("axios@", "--upstream", "none"), "nothing after the @"),
        (("axios@^1.0.0", "--upstream", "none"), "'^1.0.0' is a range: name one version or dist-tag"),
        (("axios@1.x", "--upstream", "none"), "'1.x' is a range"),
        (("Ax ios", "--upstream", "none"), "is not NAME or NAME@VERSION"),
    ],
)
def test_what_cannot_be_explained(run, words: tuple[str, ...], sentence: str) -> None:
    """With a sentence, and exit code 2."""
    code, _, err = run("explain", *words)
    assert code == 2
    assert sentence in err


# Installs.


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("axios",), ["axios@1.0.0", "axios@1.1.0"]),
        (("axios@1.1.0",), ["axios@1.1.0"]),
        (("axios@^1.0.0", "--to", "5d"), ["axios@1.0.0"]),
        (("axios", "--from", "5d"), ["axios@1.1.0"]),
        (("axios", "--from", timestamp(NOW - timedelta(days=5))), ["axios@1.1.0"]),
        (("axios", "--from", f"{NOW - timedelta(days=5):%Y-%m-%d}"), ["axios@1.1.0"]),
        (("@acme/utils",), ["@acme/utils@2.0.0"]),
        (("lodash",), []),
    ],
)
def test_installs_are_shown(run, words: tuple[str, ...], found: list[str]) -> None:
    """Of a package, a version or a range, between two moments; with the token's name."""
    code, out, err = run("installs", *words)
    rows = out.splitlines()[1:]
    assert code == 0
    assert [row.split()[0] for row in rows] == found
    assert all("ci (" in row and row.split()[3] == "3" for row in rows)
    assert found or "Nobody fetched lodash" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("axios", "--from", "yesterday"), "is not a time"),
        (("axios", "--from", "1d", "--to", "2d"), "the other way round"),
        (("axios@one",), "not a version range"),
    ],
)
def test_question_about_installs_that_is_none(run, words: tuple[str, ...], sentence: str) -> None:
    """With a sentence, and exit code 2."""
    code, _, err = run("installs", *words)
    assert code == 2
    assert sentence in err


# Exposure.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("axios@1.1.0 # hijacked\nlodash", ["axios@1.1.0"]),
        ("@acme/utils@>=2\naxios@<1.1.0", ["axios@1.0.0", "@acme/utils@2.0.0"]),
        ("axios", ["axios@1.0.0", "axios@1.1.0"]),
        ("axios@2", []),
    ],
)
def test_exposure_to_a_list(run, tmp_path: Path, text: str, found: list[str]) -> None:
    """The exit code is 1 when somebody fetched something of it."""
    path = tmp_path / "incident.txt"
    path.write_text(text)
    code, out, err = run("exposure", str(path))
    assert [row.split()[0] for row in out.splitlines()[1:]] == found
    assert code == (1 if found else 0)
    assert ("1 token" if found else "Nobody fetched anything") in err


def test_exposure_counts_tokens_and_names_callers_without_one(run, store: str, tmp_path: Path) -> None:
    """A read without a token is by nobody who could be asked: it is no token."""
    then = NOW.timestamp()
    facts = encode({InstallKey("axios", "1.0.0", "", "192.0.2.9"): Count(1, then, then)})
    organization_at(store).storage.create(INSTALLS.key(f"{NOW:%Y/%m/%d}", "00-anonymous"), facts)
    path = tmp_path / "incident.txt"
    path.write_text("axios")
    assert "3 installs by 1 token and callers without a token.\n" in run("exposure", str(path))[2]


def test_exposure_to_an_advisory(run, database: str) -> None:
    """Exactly the versions that it affects."""
    code, out, _ = run("exposure", "GHSA-1", "--osv", database)
    assert code == 1
    assert [row.split()[0] for row in out.splitlines()[1:]] == ["axios@1.1.0"]
    assert run("exposure", "MAL-1", "--osv", database)[0] == 0


def test_exposure_to_what_is_unknown(run, database: str, tmp_path: Path) -> None:
    """Never "nobody": a mistyped name must not calm anybody down."""
    broken, empty = tmp_path / "broken.txt", tmp_path / "empty.txt"
    broken.write_text("axios@@")
    empty.write_text("# nothing\n")
    for words, sentence in (
        (("MAL-9", "--osv", database), "no advisory of that id"),
        (("MAL-9",), "--osv"),
        (("MAL-9", "--osv", str(tmp_path / "none.db")), "osv update"),
        ((str(broken),), "Line 1"),
        ((str(empty),), "names no package"),
    ):
        code, _, err = run("exposure", *words)
        assert (code, sentence in err) == (2, True), err


# Replay.


def test_replay_shows_what_would_change(run, upstream: RecordingUpstream, tmp_path: Path) -> None:
    """Among what was fetched: with how often, and why. What is internal is not asked for."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[rules.version_age]\nmode = "warn"\n')
    code, out, err = run("replay", "--rules", str(rules), "--upstream", upstream.url)
    (row,) = out.splitlines()[1:]
    assert code == 1
    assert row.split()[:5] == ["axios", "1.1.0", "held", "warned", "3"]
    assert "version_age: " in row
    assert "1 package looked at" in err
    assert upstream.asked("acme") == []
    rules.write_text("")
    assert run("replay", "--rules", str(rules), "--upstream", upstream.url)[0] == 0


def test_replay_judges_by_the_facts_of_then(run, upstream: RecordingUpstream, tmp_path: Path) -> None:
    """A version that is old enough today was an hour old when it was fetched ten days ago: it would have been held."""
    times = upstream.state.packuments["axios"]["time"]
    times["1.0.0"] = timestamp(NOW - timedelta(days=10, hours=1))
    assert run("settings", "set", "rules.version_age.mode=off")[0] == 0
    rules = tmp_path / "rules.toml"
    rules.write_text('[rules.version_age]\nmode = "block"\n[rules.first_seen]\nmode = "off"\n')
    code, out, _ = run("replay", "--rules", str(rules), "--upstream", upstream.url)
    rows = {row.split()[1]: row.split()[2:6] for row in out.splitlines()[1:]}
    assert code == 1
    assert rows == {
        "1.0.0": ["allowed", "held", "3", f"{NOW - timedelta(days=10):%Y-%m-%d}"],
        "1.1.0": ["allowed", "held", "3", f"{NOW - timedelta(days=1):%Y-%m-%d}"],
    }


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("[rules.nothing]\nmode = 'off'", (), "nothing"),
        ("", ("--since", "0d"), "is not a time"),
        ("", ("--since", "9999d"), "more than 3650d"),
    ],
)
def test_replay_that_is_none(run, tmp_path: Path, text: str, more: tuple[str, ...], sentence: str) -> None:
    """With a sentence, and exit code 2."""
    rules = tmp_path / "rules.toml"
    rules.write_text(text)
    code, _, err = run("replay", "--rules", str(rules), "--upstream", "http://127.0.0.1:9", *more)
    assert code == 2
    assert sentence in err


# osv.


def test_osv_status(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it holds; exit code 1 when there is none."""
    assert main(["osv", "status", "--osv", database]) == 0
    assert "2 records about 2 packages, 1 of them malware" in capsys.readouterr().out
    assert main(["osv", "status", "--osv", str(tmp_path / "none.db")]) == 1
    assert "osv update" in capsys.readouterr().err


def test_osv_update_that_fails(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Says why, with exit code 2, and leaves the database as it is."""
    source = tmp_path / "all.zip"
    source.write_bytes(b"no archive")
    assert main(["osv", "update", "--osv", database]) == 2
    assert capsys.readouterr().err.startswith("nproxy-mw: ")
    assert main(["osv", "update"]) == 2
    assert "--osv is missing" in capsys.readouterr().err
    assert main(["osv", "status", "--osv", database]) == 0
