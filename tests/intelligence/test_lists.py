"""Lists of bad versions: their grammar, and that they never become empty by a mistake."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import releases
from support.logs import messages_of

from nproxy_mw.http.at_once import NotAtOnce, without_waiting
from nproxy_mw.intelligence import lists
from nproxy_mw.intelligence.lists import LOOK, ListFile, parse_list
from nproxy_mw.intelligence.port import IntelligenceUnavailable

VERSIONS = "0.9.0 1.0.0 1.0.1-rc.1 1.0.1 2.0.0 3.0.0rc5".split()  # noqa: SIM905
EVERYTHING = " ".join(VERSIONS)


def listed(line: str, name: str = "left-pad", folder: Path | None = None) -> str:
    """The versions of the package *name* that a list of one line condemns."""
    assert folder is not None
    path = folder / "bad.txt"
    path.write_text(line)
    return " ".join(alert.version for alert in ListFile(path).alerts(name, releases(VERSIONS)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("left-pad", EVERYTHING, id="a name"),
        pytest.param("left-pad@1.0.0", "1.0.0", id="a version"),
        pytest.param("  left-pad@1.0.0  # hijacked  ", "1.0.0", id="with spaces and why"),
        pytest.param("left-pad@<1.0.1", "0.9.0 1.0.0 1.0.1-rc.1", id="a range; prereleases take part"),
        pytest.param("left-pad@>=1.0.0 <2.0.0", "1.0.0 1.0.1-rc.1 1.0.1", id="a range with spaces"),
        pytest.param("left-pad@0.9.0 || ^2.0.0", "0.9.0 2.0.0", id="two ranges"),
        pytest.param("left-pad@1.0.0 - 1.0.1", "1.0.0 1.0.1-rc.1 1.0.1", id="from to"),
        pytest.param("left-pad@ 1.x", "1.0.0 1.0.1-rc.1 1.0.1", id="a space behind the @"),
        pytest.param("left-pad@*", EVERYTHING, id="any version"),
        pytest.param("left-pad@3.0.0rc5", "3.0.0rc5", id="an old number"),
        pytest.param("left-pad@v1.0.0", "1.0.0", id="a v before it"),
        pytest.param("right-pad", "", id="another package"),
        pytest.param("left-pad@9.9.9", "", id="no version of it"),
        pytest.param("# left-pad", "", id="a comment"),
        pytest.param("", "", id="an empty list"),
        pytest.param("\ufeffleft-pad@1.0.0\r\nleft-pad@2.0.0\r\n", "1.0.0 2.0.0", id="lines of Windows"),
    ],
)
def test_grammar(line: str, expected: str, tmp_path: Path) -> None:
    """Each form of a line condemns what it says."""
    assert listed(line, folder=tmp_path) == expected


def test_scoped_names(tmp_path: Path) -> None:
    """The @ of a scope is not the one before a version."""
    assert listed("@scope/tool@>=2.0.0 <3", "@scope/tool", tmp_path) == "2.0.0"
    assert listed("@scope/tool", "@scope/tool", tmp_path) == EVERYTHING


def test_alert(tmp_path: Path) -> None:
    """An alert says which list, why, and which versions."""
    path = tmp_path / "bad.txt"
    path.write_text("left-pad@^1.0.0  # hijacked\n   on 1 April\nleft-pad\n".replace("\n   on", " on"))
    some, every = (alert for alert in ListFile(path).alerts("left-pad", releases(["1.0.0"])))
    assert (some.id, some.kind, some.summary) == ("bad.txt", "malware", "hijacked on 1 April")
    assert (some.every_version, some.affected) == (False, ">=1.0.0 <2.0.0-0")
    assert (every.every_version, every.affected) == (True, "*")


@pytest.mark.parametrize(
    "line",
    ["left-pad@", "left-pad@latest", "left-pad@<1 hijacked", "left pad", "../x", "@scope", "@scope/", "@/x@1",
     "left-pad@1.0.0,2.0.0", "left-pad 1.0.0", "left-pad@" + "1 || " * 5000 + "2"],
)  # fmt: skip
def test_lines_that_are_none(line: str) -> None:
    """A line that is none of the forms is named by its number, and the list is none."""
    with pytest.raises(ValueError, match=r"Line 3: "):
        parse_list(f"# ours\nleft-pad\n{line}\n")


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever stands in a file, it is a list or a ValueError that names a line."""
    try:
        parse_list(text)
    except ValueError as error:
        assert str(error).startswith("Line ")  # noqa: PT017


class Watched:
    """A list whose clock a test moves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0
        self.list = ListFile(path, monotonic=lambda: self.seconds)

    def write(self, text: str | bytes) -> None:
        """Replaces the file, as an editor or `mv` does, and lets the time pass after which it is looked at."""
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
        fresh.replace(self.path)
        self.wait()

    def wait(self) -> None:
        self.seconds += LOOK + 0.1

    def condemned(self) -> list[str]:
        return [alert.version for alert in self.list.alerts("left-pad", releases(VERSIONS))]


def test_read_anew(tmp_path: Path) -> None:
    """A changed file counts after at most five seconds, and changes the revision."""
    watched = Watched(tmp_path / "bad.txt")
    watched.write("left-pad@1.0.0")
    first = watched.list.revision
    assert watched.condemned() == ["1.0.0"]
    watched.write("left-pad@2.0.0")
    assert watched.condemned() == ["2.0.0"]
    assert watched.list.revision != first


def test_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that did not change is not read again, also one with a mistake."""
    reads: list[Path] = []
    real = lists._bytes_of
    monkeypatch.setattr(lists, "_bytes_of", lambda path: reads.append(path) or real(path))
    watched = Watched(tmp_path / "bad.txt")
    for text in ("left-pad@1.0.0", "left-pad@nonsense"):
        watched.write(text)
        for _ in range(3):
            watched.condemned()
            watched.wait()
    assert len(reads) == 2


def test_looked_at_now_and_then(tmp_path: Path) -> None:
    """Within five seconds the file is not looked at."""
    watched = Watched(tmp_path / "bad.txt")
    watched.write("left-pad@1.0.0")
    watched.condemned()
    watched.path.unlink()
    watched.seconds += LOOK
    assert watched.condemned() == ["1.0.0"]


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda watched: watched.write("left-pad@nonsense"), id="a mistake"),
        pytest.param(lambda watched: watched.write(b"left-pad\xff"), id="no UTF-8"),
        pytest.param(lambda watched: watched.write("x" * 2000), id="too large"),
        pytest.param(lambda watched: (watched.path.unlink(), watched.wait()), id="gone"),
        pytest.param(lambda watched: (watched.path.unlink(), watched.path.mkdir(), watched.wait()), id="a folder"),
    ],
)
def test_last_good_state(
    tmp_path: Path, break_it: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that cannot be read any more stays in force, which is said once, and its repair counts."""
    monkeypatch.setattr(lists, "MAX_BYTES", 1000)
    watched = Watched(tmp_path / "bad.txt")
    watched.write("left-pad@1.0.0")
    revision = watched.list.revision
    caplog.clear()
    break_it(watched)  # type: ignore[operator]
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert watched.condemned() == ["1.0.0"]
            watched.wait()
    said = [message.partition(", its")[0] for message in messages_of(caplog, lists.__name__)]
    assert said == [f"the list {watched.path} cannot be read"]
    assert watched.list.revision == revision
    if watched.path.is_dir():
        watched.path.rmdir()
    watched.write("left-pad@2.0.0")
    assert watched.condemned() == ["2.0.0"]


def test_never_readable(tmp_path: Path) -> None:
    """A list that was never readable is unavailable, not empty; an empty file is a list."""
    watched = Watched(tmp_path / "bad.txt")
    with pytest.raises(IntelligenceUnavailable, match=r"bad\.txt"):
        watched.condemned()
    assert watched.list.revision == ""
    watched.write("")
    assert watched.condemned() == []


def test_error_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of the disk the same file is read again."""
    watched = Watched(tmp_path / "bad.txt")

    def broken(path: Path) -> bytes:
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(lists, "_bytes_of", broken)
        watched.write("left-pad@1.0.0")
        with pytest.raises(IntelligenceUnavailable):
            watched.condemned()
    watched.wait()
    assert watched.condemned() == ["1.0.0"]


def test_a_file_is_not_read_where_nobody_can_wait(tmp_path: Path) -> None:
    """A long list takes seconds: the thread that serves all connections of a server leaves it to others."""
    watched = Watched(tmp_path / "bad.txt")
    watched.write("left-pad@1.0.0")
    before = watched.list.revision
    watched.write("left-pad@2.0.0")
    with pytest.raises(NotAtOnce):
        without_waiting(lambda: watched.list.revision)
    after = watched.list.revision
    assert after != before
    assert without_waiting(lambda: watched.list.revision) == after
