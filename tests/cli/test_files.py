"""Files that commands are given: what is missing is said to be missing, and not to have bad content."""

from __future__ import annotations

import pytest

from nproxy_mw.cli import main


@pytest.fixture
def store(tmp_path):
    assert main(["org", "create", "default", "--storage", str(tmp_path / "store")]) == 0
    return ["--storage", str(tmp_path / "store")]


COMMANDS = {
    "witness": ["audit", "verify", "--witness", "{}"],
    "keys": ["verify", "@acme/utils", "--files", "{folder}", "--keys", "{}"],
    "settings": ["settings", "apply", "{}"],
}


def run(name, file, store, folder):
    return main([*(part.format(file, folder=folder) for part in COMMANDS[name]), *store])


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "packument.json").write_text('{"name": "@acme/utils", "versions": {}}')
    (folder / "keys.json").write_text('{"keys": []}')
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_missing_file_is_said_to_be_missing(name, store, files, capsys):
    """With its name and the system's reason."""
    missing = files / "none.json"
    assert run(name, missing, store, files) == 2
    assert capsys.readouterr().err.endswith(f"The file {missing} cannot be read: No such file or directory.\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_folder_is_no_file(name, store, files, capsys):
    """Nor is what is none of ours."""
    assert run(name, files, store, files) == 2
    assert "cannot be read: Is a directory." in capsys.readouterr().err


@pytest.mark.parametrize(("name", "said"), [
    ("witness", "does not hold the line that 'nproxy-mw audit verify' printed."),
    ("keys", "is not what it should be: see nproxy-mw verify --help."),
])  # fmt: skip
def test_file_with_something_else_is_said(name, said, store, files, capsys):
    """JSON, and not the one that is meant; and what is no JSON."""
    file = files / "other.json"
    file.write_text("{}")
    assert run(name, file, store, files) == 2
    assert f"{file} {said}" in capsys.readouterr().err
    file.write_text("{")
    assert run(name, file, store, files) == 2
    assert f"The file {file} is not JSON: " in capsys.readouterr().err
