"""nproxy-mw org."""

from __future__ import annotations

from nproxy_mw.cli import main
from nproxy_mw.cli.stores import open_organizations


def test_created_organization_is_there_and_listed(tmp_path, capsys):
    """It is made with its name, told of, and shown."""
    storage = ["--storage", str(tmp_path)]
    assert main(["org", "create", "acme", "--name", "Acme Ltd", *storage]) == 0
    made = open_organizations(str(tmp_path)).directory
    assert made.find("acme").name == "Acme Ltd"
    assert made.trail("acme").chain()[0]["by"] == "command line"
    assert main(["org", "list", *storage]) == 0
    title, row = capsys.readouterr().out.splitlines()
    assert title.split() == ["ID", "NAME", "CREATED"]
    assert row.startswith("acme  Acme Ltd")


def test_bad_or_taken_id_is_said_in_a_sentence(tmp_path, capsys):
    """Exit code 2, and nothing is made."""
    storage = ["--storage", str(tmp_path)]
    assert main(["org", "create", "Acme Ltd", *storage]) == 2
    assert main(["org", "create", "acme", *storage]) == 0
    assert main(["org", "create", "acme", *storage]) == 2
    assert "already" in capsys.readouterr().err
    assert len(open_organizations(str(tmp_path)).directory.list()) == 1


def test_no_organizations_are_said(tmp_path, capsys):
    """An empty table is a sentence, which says how to make a first row; scripts read nothing."""
    assert main(["org", "list", "--storage", str(tmp_path)]) == 0
    assert capsys.readouterr() == (
        "",
        "There are no organizations yet: create one with 'nproxy-mw org create ID'.\n",
    )
