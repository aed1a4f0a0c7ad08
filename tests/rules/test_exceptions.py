"""Exceptions from the rules."""

from datetime import UTC, datetime, timedelta

import pytest

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.exception_documents import MAX_EXCEPTIONS, MAX_VERSIONS, merge
from nproxy_mw.rules.exceptions import Exceptions, RuleException, load
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.rules.values import Problems

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)
WISH = {"package": "left-pad", "reason": "needed by the build", "expiresAt": "2027-01-01T00:00:00Z"}


def exception(**parts):
    return RuleException(**{"package": "left-pad", "reason": "r", "author": "ann", "expires_at": END, **parts})


def merged(change, current=(), author="ann", now=NOW):
    problems = Problems()
    made = merge(Exceptions(current), change, "exceptions", problems, author=author, now=now, catalog=SHIPPED)
    return made, problems.fields


@pytest.mark.parametrize(
    ("parts", "version", "rule", "covers"),
    [
        pytest.param({}, "1.0.0", "malware", True, id="all versions and rules"),
        pytest.param({"rules": ("score",)}, "1.0.0", "score", True, id="this rule"),
        pytest.param({"rules": ("score",)}, "1.0.0", "malware", False, id="another rule"),
        pytest.param({"versions": ("1.0.0",)}, "1.0.0", "malware", True, id="this version"),
        pytest.param({"versions": ("1.0.0",)}, "1.0.1", "malware", False, id="another version"),
        pytest.param({"versions": ("^1.2.0", "3.0.0")}, "1.9.0", "malware", True, id="in a range"),
        pytest.param({"versions": ("^1.2.0", "3.0.0")}, "3.0.0", "malware", True, id="second of two"),
        pytest.param({"versions": ("^1.2.0",)}, "2.0.0", "malware", False, id="out of the range"),
        pytest.param({"versions": ("^1.2.0",)}, "1.3.0-rc.1", "malware", False, id="prerelease, as npm reads ranges"),
        pytest.param({"versions": ("*",)}, "3.0.0rc5", "malware", False, id="old number is a prerelease"),
        pytest.param({"versions": ("3.0.0rc5",)}, "3.0.0rc5", "malware", True, id="old number by itself"),
        pytest.param({"versions": (">=3.0.0-rc1 <3.0.0",)}, "3.0.0rc5", "malware", True, id="old number in a range"),
        pytest.param({"versions": ("no range",)}, "1.0.0", "malware", False, id="stored by another grammar"),
        pytest.param({"expires_at": NOW + timedelta(seconds=1)}, "1.0.0", "malware", True, id="just before its end"),
        pytest.param({"expires_at": NOW}, "1.0.0", "malware", False, id="at its end"),
        pytest.param({"unknown": {"team": "web"}}, "1.0.0", "malware", False, id="narrowed by a newer version"),
    ],
)
def test_exception_covers_what_it_names(parts, version, rule, covers):
    """Its package, the versions and rules that it names, and until its end."""
    one = exception(**parts)
    assert one.covers(version, rule, NOW) is covers
    exceptions = Exceptions([exception(package="other"), one])
    assert exceptions.covering("left-pad", version, rule, NOW) == (one if covers else None)
    assert exceptions.covering("right-pad", version, rule, NOW) is None


def test_last_end_counts():
    """Of several exceptions that cover a version, the one that ends last; the engine asks for the end alone."""
    ends = [NOW - timedelta(1), NOW + timedelta(2), NOW + timedelta(1)]
    exceptions = Exceptions([exception(expires_at=end, versions=("1.0.0",)) for end in ends])
    assert exceptions.covering("left-pad", "1.0.0", "malware", NOW).expires_at == ends[1]
    end_of = exceptions.ends("left-pad", NOW)
    assert end_of("1.0.0", "malware") == ends[1]
    assert end_of("2.0.0", "malware") is None
    assert Exceptions().ends("left-pad", NOW)("1.0.0", "malware") is None


def test_engine_lets_through_what_an_exception_covers():
    """A blocked version is served, and the decision holds no longer than the exception."""
    history = History(name="left-pad", releases=(Release(version="1.0.0", published=NOW),))
    rules = SHIPPED.configured(SHIPPED.defaults())
    held = judge(history, rules, Knowledge(now=NOW))
    assert "1.0.0" in held.blocked
    exceptions = Exceptions([exception(rules=("version_age", "first_seen"), expires_at=NOW + timedelta(hours=1))])
    let_through = judge(history, rules, Knowledge(now=NOW), exceptions.ends("left-pad", NOW))
    assert let_through.allowed == ("1.0.0",)
    assert let_through.valid_until == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "parts",
    [{}, {"versions": ("1.0.0", "^2")}, {"rules": ("malware",)}, {"unknown": {"team": "web"}}],
    ids=["whole package", "versions", "rules", "more than we know"],
)
def test_exception_is_stored_and_loaded(parts):
    """It is the same afterwards, with what a newer version wrote into it."""
    one = exception(**parts)
    assert load(one.to_document()) == one
    assert {"package", "reason", "author", "expiresAt"} <= set(one.to_document())


@pytest.mark.parametrize(
    "damage", [{"package": 1}, {"reason": None}, {"expiresAt": "soon"}, {"versions": "1.0.0"}, {"rules": [1]}]
)
def test_damaged_exception_is_not_loaded(damage):
    """It is an error, so that nothing is let through by accident."""
    with pytest.raises((TypeError, ValueError)):
        load(exception().to_document() | damage)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({}, "exceptions", id="object"),
        pytest.param([WISH] * (MAX_EXCEPTIONS + 1), "exceptions", id="too many"),
        pytest.param(["left-pad"], "exceptions[0]", id="name"),
        pytest.param([WISH | {"package": "../x"}], "exceptions[0].package", id="no package"),
        pytest.param([WISH | {"package": []}], "exceptions[0].package", id="list for a package"),
        pytest.param([WISH | {"reason": " "}], "exceptions[0].reason", id="no reason"),
        pytest.param([WISH | {"reason": "a\nb"}], "exceptions[0].reason", id="reason of two lines"),
        pytest.param([WISH | {"versions": "1.0.0"}], "exceptions[0].versions", id="text for versions"),
        pytest.param([WISH | {"versions": []}], "exceptions[0].versions", id="no versions"),
        pytest.param([WISH | {"versions": ["latest"]}], "exceptions[0].versions", id="tag"),
        pytest.param([WISH | {"versions": [" "]}], "exceptions[0].versions", id="blank range"),
        pytest.param([WISH | {"versions": [f"{n}.0.0" for n in range(MAX_VERSIONS + 1)]}], "exceptions[0].versions"),
        pytest.param([WISH | {"rules": []}], "exceptions[0].rules", id="no rules"),
        pytest.param([WISH | {"rules": ["malwear"]}], "exceptions[0].rules", id="unknown rule"),
        pytest.param([WISH | {"rules": [{}]}], "exceptions[0].rules", id="object for a rule"),
        pytest.param([WISH | {"until": 1}], "exceptions[0].until", id="unknown member"),
        pytest.param([WISH | {"expiresAt": "2026-11-22T12:00:00Z"}], "exceptions[0].expiresAt", id="now"),
        pytest.param([WISH | {"expiresAt": "2027-01-01"}], "exceptions[0].expiresAt", id="no zone"),
        pytest.param([WISH | {"expiresAt": "9999-12-31T23:59:59-14:00"}], "exceptions[0].expiresAt", id="edge"),
        pytest.param([WISH | {"expiresAt": None}], "exceptions[0].expiresAt", id="endless"),
        pytest.param([WISH, {key: WISH[key] for key in ("package", "reason")}], "exceptions[1].expiresAt", id="second"),
    ],
)
def test_invalid_exception_is_refused_at_its_path(change, path):
    """With a sentence that says what is meant."""
    _, problems = merged(change)
    assert list(problems) == [path]
    assert problems[path].endswith(".")


@pytest.mark.parametrize("claimed", [{}, {"author": None}, {"author": "root"}], ids=["none", "null", "somebody else"])
def test_author_is_who_asks(claimed):
    """Whatever author a new exception claims."""
    made, _ = merged([WISH | claimed], author="ann\x1b" + "x" * 1000)
    assert [one.author for one in made] == ["ann" + "x" * 496]


def test_author_without_a_name_is_unnamed():
    """An exception always has an author."""
    assert [one.author for one in merged([WISH], author=" ")[0]] == ["unnamed"]


def test_standing_exception_may_be_sent_back():
    """As it is shown: it keeps its author, also when it has ended or has more members than this version knows."""
    standing = [exception(expires_at=NOW - timedelta(1)), exception(unknown={"team": "web"}), exception()]
    made, problems = merged([*(one.to_document() for one in standing), WISH], standing, author="bob")
    assert problems == {}
    assert list(made)[:3] == standing
    assert [one.author for one in made] == ["ann", "ann", "ann", "bob"]


def test_changed_exception_is_by_who_changed_it():
    """Whoever prolongs an exception answers for it."""
    longer = exception().to_document() | {"expiresAt": "2028-01-01T00:00:00Z"}
    made, _ = merged([longer], [exception()], author="bob")
    assert [one.author for one in made] == ["bob"]


def test_end_is_kept_in_milliseconds_of_utc():
    """As it will be stored, so that what was made equals what is read."""
    made, _ = merged([WISH | {"expiresAt": "2027-01-01T01:00:00.123456+01:00", "versions": None}])
    assert [one.to_document()["expiresAt"] for one in made] == ["2027-01-01T00:00:00.123Z"]
    assert [load(one.to_document()) for one in made] == list(made)
