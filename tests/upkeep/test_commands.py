"""The three commands: what they print, and their exit codes."""

from __future__ import annotations

import pytest

from nproxy_mw.cli import main
from nproxy_mw.storage import open_storage


@pytest.fixture
def folder(tmp_path, furnished) -> str:
    """A store in a folder."""
    storage = open_storage(str(tmp_path / "store"))
    for key, data in furnished.items():
        storage.create(key, data)
    return str(tmp_path / "store")


def test_check_says_that_all_is_well(folder, capsys):
    """A sound store: nothing on standard output, exit code 0."""
    assert main(["check", "--storage", folder]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "4 packages, 6 versions" in printed.err
    assert "All is well." in printed.err


def test_check_says_what_is_wrong(folder, capsys):
    """A damaged tarball: a line that names it, exit code 1."""
    storage = open_storage(folder)
    key = next(storage.list("orgs/acme/tarballs"))
    storage.replace(key, b"spoilt", storage.read(key).revision)
    assert main(["check", "--storage", folder]) == 1
    assert key in capsys.readouterr().out
    assert main(["check", "--storage", folder, "--org", "umbrella"]) == 0


@pytest.mark.parametrize("command", ["check", "gc"])
def test_organization_that_does_not_exist_is_no_sound_one(folder, command, capsys):
    """A mistyped name must not read "All is well."."""
    assert main([command, "--storage", folder, "--org", "nobody"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"nproxy-mw: There is no organization 'nobody' in {folder}")
    assert printed.err.count("\n") == 1


def test_check_of_nothing_says_so(tmp_path, capsys):
    """What was checked is never left out of the sentence."""
    open_storage(str(tmp_path)).create("organisations/acme.json", b"{}")
    open_storage(str(tmp_path)).create("orgs/acme/x", b"")
    main(["check", "--storage", str(tmp_path)])
    assert "Checked 2 objects" in capsys.readouterr().err


def test_gc_shows_and_removes(folder, capsys):
    """A dry run shows an orphan, a run without a grace removes it, and the next one finds none."""
    key = "orgs/acme/tarballs/@acme/utils/0123.tgz"
    open_storage(folder).create(key, b"")
    assert main(["check", "--storage", folder]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{key}: ")
    assert "All is well.\n1 orphan of failed changes: 'nproxy-mw gc' removes them." in printed.err
    assert main(["gc", "--storage", folder, "--grace", "0s", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{key}: would be removed\n"
    assert main(["gc", "--storage", folder]) == 0
    assert capsys.readouterr().out == f"{key}: kept, seen first now\n"
    assert main(["gc", "--storage", folder, "--grace", "0s"]) == 0
    assert capsys.readouterr().out == f"{key}: removed\n"
    assert main(["check", "--storage", folder]) == 0


@pytest.mark.parametrize("grace", ["", "1", "h", "-1h", "1w", "1.5h", "١h", "9999999d"])
def test_gc_refuses_a_grace_that_is_none(folder, grace):
    """What is no time is refused before anything is looked at."""
    assert main(["gc", "--storage", folder, f"--grace={grace}"]) == 2


def test_copy_copies(folder, tmp_path, capsys):
    """A copy is sound; a second run says that there was nothing to do."""
    there = str(tmp_path / "there")
    assert main(["copy", folder, there, "--dry-run"]) == 0
    assert main(["copy", folder, there]) == 0
    assert "tarballs copied" in capsys.readouterr().err
    assert main(["copy", folder, there]) == 0
    assert "copied" not in capsys.readouterr().err
    assert main(["check", "--storage", there]) == 0


@pytest.mark.parametrize(("source", "destination", "sentence"), [
    pytest.param("store", "store", "the same place", id="onto itself"),
    pytest.param("store", "store/backup", "one lies in the other", id="into itself"),
    pytest.param("store/orgs", "store", "one lies in the other", id="out of itself"),
    pytest.param("store", "link", "the same place", id="by a link"),
    pytest.param("s3://bucket/a", "s3://bucket/a/b", "one lies in the other", id="into itself on S3"),
    pytest.param("nothing", "there", "There is no store", id="no source"),
    pytest.param("ftp://a", "there", "not supported", id="no storage"),
    pytest.param("store", "other", "another store", id="another store"),
])  # fmt: skip
def test_copy_refuses(folder, tmp_path, monkeypatch, capsys, source, destination, sentence):
    """What cannot be copied is refused with a sentence, exit code 2."""
    monkeypatch.chdir(tmp_path)
    open_storage("other").create("orgs/acme/settings.json", b"{}")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    assert main(["copy", source, destination]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "gc"])
def test_organization_that_cannot_be_is_refused(folder, command, capsys):
    """--org is an organization's id."""
    assert main([command, "--storage", folder, "--org", "../acme"]) == 2
    assert "not an organization's id" in capsys.readouterr().err
