"""nproxy-mw settings."""

from __future__ import annotations

import io
import json

import pytest

from nproxy_mw import organization_at
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


TOML = """
internalScopes = ["@acme"]
publicReads = false

[rules.first_seen]
mode = "warn"
days = 3

[[exceptions]]
package = "left-pad"
reason = "known good"
expiresAt = 2999-01-31T01:00:00+01:00
"""
SAID = {
    "internalScopes": ["@acme"],
    "publicReads": False,
    "rules": {"first_seen": {"mode": "warn", "days": 3}},
    "exceptions": [{"package": "left-pad", "reason": "known good", "expiresAt": "2999-01-31T00:00:00.000Z"}],
}


@pytest.fixture
def apply(tmp_path, capsys):
    """Runs ``settings apply``; answers the exit code, and what was printed on both streams."""
    assert main(["org", "create", "default", "--storage", str(tmp_path / "store")]) == 0
    capsys.readouterr()

    def run(name, text, *more):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = main(["settings", "apply", str(path), *more, "--storage", str(tmp_path / "store")])
        return code, *capsys.readouterr()

    run.organization = organization_at(str(tmp_path / "store"))
    return run


@pytest.mark.parametrize(("name", "text"), [("rules.toml", TOML), ("rules.json", json.dumps(SAID))])
def test_file_is_applied_once(apply, name, text):
    """TOML or JSON in the API's words; a second time nothing changes, and nothing is recorded."""
    code, out, err = apply(name, text)
    assert (code, err) == (0, "")
    assert '+    "@acme"\n' in out
    settings = apply.organization.settings.get().to_document()
    assert settings["internalScopes"] == ["@acme"]
    assert settings["rules"]["first_seen"]["days"] == 3
    assert settings["exceptions"][0]["expiresAt"] == "2999-01-31T00:00:00.000Z"
    before = len(apply.organization.trail.chain())
    assert apply(name, text) == (0, "", "The settings are as the file says.\n")
    assert len(apply.organization.trail.chain()) == before


def test_each_mistake_has_a_line(apply):
    """Several in one line could not be told apart."""
    code, _, err = apply("rules.toml", "publicReads = 1\n[rules.first_seen]\ndays = -1\n")
    assert code == 2
    assert err.splitlines() == [
        "nproxy-mw: Nothing was changed.",
        "  publicReads: This must be true or false.",
        "  rules.first_seen.days: This must be a whole number from 0 to 3650.",
    ]


def test_diff_changes_nothing(apply):
    """What would change is shown, and the exit code says whether anything would."""
    code, out, err = apply("rules.toml", TOML, "--diff")
    assert (code, err) == (1, "")
    assert '-  "publicReads": true,\n' in out
    assert '+  "publicReads": false,\n' in out
    assert apply.organization.settings.get().public_reads is True
    apply("rules.toml", TOML)
    assert apply("rules.toml", TOML, "--diff") == (0, "", "The settings are as the file says.\n")


def test_what_the_file_does_not_name_stays(apply):
    """As with a PUT to the API."""
    apply("a.json", '{"internalScopes": ["@acme"]}')
    apply("b.json", '{"publicReads": false}')
    assert apply.organization.settings.get().internal_scopes == ("@acme",)


def test_what_settings_show_prints_is_taken_back(apply, capsys, tmp_path):
    """As it stands."""
    apply("rules.toml", TOML)
    main(["settings", "show", "--storage", str(tmp_path / "store")])
    assert apply("shown.json", capsys.readouterr().out)[0] == 0


@pytest.mark.parametrize("more", [[], ["--diff"]], ids=["apply", "diff"])
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param("a.toml", "internalScopes = ", "is not TOML: ", id="no TOML"),
        pytest.param("a.json", "{", "is not valid JSON", id="no JSON"),
        pytest.param("a.json", "[]", "must be a JSON object", id="no object"),
        pytest.param("a.json", '{"a": 1, "a": 2}', "same key twice", id="two readings"),
        pytest.param("a.toml", "colour = 1", "Nothing was changed. colour", id="no such setting"),
        pytest.param("a.json", '{"internalScopes": ["acme"]}', "internalScopes", id="no scope"),
        pytest.param("a.json", b" " * (2 * 1024 * 1024 + 1), "is larger than 2048 KiB.", id="too large"),
    ],
)
def test_invalid_file_changes_nothing(apply, name, text, said, more):
    """One sentence, exit code 2."""
    code, out, err = apply(name, text, *more)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert apply.organization.settings.get().internal_scopes == ()


def test_file_that_is_missing_is_said(apply, tmp_path, capsys):
    """It is no file with bad content."""
    assert main(["settings", "apply", str(tmp_path / "none.toml"), "--storage", str(tmp_path / "store")]) == 2
    said = f"nproxy-mw: The file {tmp_path / 'none.toml'} cannot be read: No such file or directory.\n"
    assert capsys.readouterr().err == said


def test_standard_input_is_json(apply, tmp_path, capsys, monkeypatch):
    """- is what a pipe brings."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(SAID).encode())))
    assert main(["settings", "apply", "-", "--storage", str(tmp_path / "store")]) == 0
    assert apply.organization.settings.get().internal_scopes == ("@acme",)
