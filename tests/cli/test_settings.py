"""nproxy-mw settings."""

from __future__ import annotations

import json

import pytest

from nproxy_mw.cli import main
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.settings import change_of
from nproxy_mw.errors import BadRequest


def test_settings_are_set_and_shown(tmp_path, capsys):
    """What is set is printed whole, and there for the next process."""
    where = ["--storage", str(tmp_path), "--org", "acme"]
    assert main(["org", "create", "acme", *where[:2]]) == 0
    assert main(["settings", "set", "internalScopes=@acme", "publicReads=false", *where]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["internalScopes"], printed["publicReads"]) == (["@acme"], False)
    assert main(["settings", "show", *where]) == 0
    assert json.loads(capsys.readouterr().out) == printed


def test_bad_settings_are_said_by_field(tmp_path, capsys):
    """Exit code 2, every field in the sentence, and nothing is changed."""
    where = ["--storage", str(tmp_path)]
    assert main(["settings", "set", "internalScopes=acme", "colour=red", *where]) == 2
    error = capsys.readouterr().err
    assert "internalScopes" in error
    assert "colour" in error
    main(["settings", "show", *where])
    assert json.loads(capsys.readouterr().out)["internalScopes"] == []


@pytest.mark.parametrize(
    ("changes", "wish"),
    [
        pytest.param(["publicReads=false"], {"publicReads": False}, id="JSON"),
        pytest.param(["internalScopes=@a,@b"], {"internalScopes": ["@a", "@b"]}, id="scopes with commas"),
        pytest.param(['internalScopes=["@a"]'], {"internalScopes": ["@a"]}, id="scopes as JSON"),
        pytest.param(["rules.score.mode=off"], {"rules": {"score": {"mode": "off"}}}, id="a path"),
        pytest.param(
            ["rules.score.mode=off", "rules.score.threshold=0.5", "rules.malware=null"],
            {"rules": {"score": {"mode": "off", "threshold": 0.5}, "malware": None}},
            id="paths that meet",
        ),
        pytest.param(
            ['{"publicReads": true}', "versionUnpublish=true"],
            {"publicReads": True, "versionUnpublish": True},
            id="an object and more",
        ),
        pytest.param(["rateLimit="], {"rateLimit": ""}, id="an empty value is text"),
    ],
)
def test_arguments_are_read_as_a_wish(changes, wish):
    """KEY=VALUE with paths, JSON values and JSON objects."""
    assert change_of(changes) == wish


@pytest.mark.parametrize("changes", [["publicReads"], ["=1"], ["rules..mode=x"], ["a=1", "a=2"], ["a=1", "a.b=2"]])
def test_arguments_that_say_nothing_are_refused(changes):
    """Neither KEY=VALUE nor an object, or a contradiction."""
    with pytest.raises(UsageError):
        change_of(changes)


def test_object_with_a_key_twice_is_refused():
    """JSON is read strictly here too."""
    with pytest.raises(BadRequest):
        change_of(['{"publicReads": true, "publicReads": false}'])
