"""The settings of an organization."""

import threading
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import recorded
from support.rules import FlagsNothing

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, Busy, Changed, StorageUnavailable
from nproxy_mw.orgs.setting_types import Simple
from nproxy_mw.orgs.settings import Settings, SettingsError, SettingsStore
from nproxy_mw.orgs.settings_fields import row
from nproxy_mw.rules.catalog import RuleDefinition
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.rules.values import one_of
from nproxy_mw.times import utc_now

EXCEPTION = {"package": "left-pad", "reason": "needed by the build", "expiresAt": "2027-01-01T00:00:00Z"}


@pytest.fixture
def settings(storage, trail, clock):
    return SettingsStore(storage, trail=trail, clock=clock)


def test_nothing_stored_is_the_defaults(settings, storage):
    """An organization that has decided nothing has the documented defaults, and nothing is written to say so."""
    assert settings.get().to_document() == {
        "internalScopes": [],
        "publicReads": True,
        "rules": SHIPPED.defaults(),
        "exceptions": [],
        "rateLimit": None,
        "versionUnpublish": False,
        "ledgerDays": 90,
        "slimPackuments": True,
        "auditWithoutAdvisories": "empty",
    }
    assert list(storage.list()) == []


def test_change_is_answered_and_seen_by_another_process(settings, storage, trail, clock, actor):
    """A change holds at once, here and in a process that had read the settings before."""
    other = SettingsStore(storage, trail=trail, clock=clock)
    assert other.get().internal_scopes == ()
    assert settings.change({"internalScopes": ["@acme"]}, actor=actor).internal_scopes == ("@acme",)
    assert settings.get().internal_scopes == other.get().internal_scopes == ("@acme",)


def test_only_named_settings_change(settings, actor):
    """What a change does not name stays."""
    settings.change({"internalScopes": ["@acme"], "versionUnpublish": True}, actor=actor)
    after = settings.change({"publicReads": False}, actor=actor)
    assert (after.internal_scopes, after.version_unpublish, after.public_reads) == (("@acme",), True, False)


@dataclass(frozen=True, slots=True)
class More(Settings):
    """The settings and one more."""

    color: str = row("color", "red", Simple(one_of("red", "blue")), "The color.")


def test_new_setting_is_one_row():
    """It is shown, changed, checked, stored, loaded and described."""
    settings = More(internal_scopes=("@acme",))
    assert settings.color == settings.to_document()["color"] == "red"
    blue = settings.changed({"color": "blue"}, author="ann", now=utc_now())
    assert blue == More(internal_scopes=("@acme",), color="blue")
    with pytest.raises(SettingsError, match="one of red, blue"):
        blue.changed({"color": "green"}, author="ann", now=utc_now())
    assert More.from_document(blue.stored_document()) == blue
    assert More.from_document(Settings().stored_document()).color == "red"
    assert More.schemas()["color"] == {"enum": ["red", "blue"], "description": "The color."}
    assert More.table()["color"].name == "color"


def test_rule_of_a_host_is_set_like_the_others(storage, trail, clock, actor):
    """It is there with its default, can be changed and is stored; a store without it leaves it alone."""
    catalog = SHIPPED.with_rules(RuleDefinition(FlagsNothing("own"), "warn", "Flags."))
    settings = SettingsStore(storage, trail=trail, clock=clock, catalog=catalog)
    assert settings.get().rules["own"] == {"mode": "warn"}
    settings.change({"rules": {"own": {"mode": "block"}}}, actor=actor)
    assert settings.get().rules["own"] == {"mode": "block"}
    without = SettingsStore(storage, trail=trail, clock=clock)
    assert "own" not in without.change({"publicReads": False}, actor=actor).rules
    assert settings.get().rules["own"] == {"mode": "block"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], "body", id="not an object"),
        pytest.param(None, "body", id="null"),
        pytest.param({"internalScope": []}, "internalScope", id="unknown key"),
        pytest.param({"internalScopes": "@acme"}, "internalScopes", id="text for a list"),
        pytest.param({"internalScopes": None}, "internalScopes", id="null for a list"),
        pytest.param({"internalScopes": [5]}, "internalScopes", id="number for a scope"),
        pytest.param({"internalScopes": ["acme"]}, "internalScopes", id="scope without @"),
        pytest.param({"internalScopes": ["@ACME"]}, "internalScopes", id="upper case"),
        pytest.param({"internalScopes": ["@"]}, "internalScopes", id="bare @"),
        pytest.param({"internalScopes": ["@acme/utils"]}, "internalScopes", id="a package"),
        pytest.param({"internalScopes": ["@a.."]}, "internalScopes", id="trailing dots"),
        pytest.param({"internalScopes": ["@acme", "@b", "@acme"]}, "internalScopes", id="twice"),
        pytest.param({"internalScopes": [f"@s{n}" for n in range(101)]}, "internalScopes", id="too many"),
        pytest.param({"publicReads": 1}, "publicReads", id="number for a flag"),
        pytest.param({"versionUnpublish": "true"}, "versionUnpublish", id="text for a flag"),
        pytest.param({"rules": []}, "rules", id="rules as a list"),
        pytest.param({"rules": {"first_seen": {"days": -1}}}, "rules.first_seen.days", id="a rule's parameter"),
        pytest.param({"ledgerDays": 0}, "ledgerDays", id="no days"),
        pytest.param({"slimPackuments": None}, "slimPackuments", id="null for a flag"),
        pytest.param({"auditWithoutAdvisories": "404"}, "auditWithoutAdvisories", id="another word"),
        pytest.param({"rateLimit": 5}, "rateLimit", id="a number for a rate limit"),
        pytest.param({"rateLimit": {}}, "rateLimit", id="empty rate limit"),
        pytest.param({"rateLimit": {"requestsPerMinute": 0}}, "rateLimit.requestsPerMinute", id="no requests"),
        pytest.param({"rateLimit": {"perHour": 3}}, "rateLimit.perHour", id="unknown limit"),
        pytest.param({"exceptions": {}}, "exceptions", id="exceptions as an object"),
        pytest.param({"exceptions": [EXCEPTION | {"reason": " "}]}, "exceptions[0].reason", id="an exception's part"),
    ],
)
def test_bad_wish_is_refused_field_by_field(settings, storage, actor, document, field):
    """What will not do is refused with a sentence at its field, and nothing changes, also what was right beside it."""
    settings.change({"internalScopes": ["@old"]}, actor=actor)
    before = {key: storage.read(key).data for key in storage.list()}
    wish = {"publicReads": False} | document if isinstance(document, dict) else document
    with pytest.raises(SettingsError) as caught:
        settings.change(wish, actor=actor)
    assert list(caught.value.fields) == [field]
    assert all(sentence.endswith(".") for sentence in caught.value.fields.values())
    assert {key: storage.read(key).data for key in storage.list()} == before
    assert isinstance(caught.value, BadRequest)


def test_every_invalid_field_has_a_sentence(settings, actor):
    """All problems are reported at once."""
    with pytest.raises(SettingsError) as caught:
        settings.change({"internalScopes": ["acme"], "publicReads": 0, "x": 1}, actor=actor)
    assert set(caught.value.fields) == {"internalScopes", "publicReads", "x"}


def test_unknown_key_is_echoed_short_and_plain(settings, actor):
    """A key nobody knows is named in the answer, cut and without control characters."""
    with pytest.raises(SettingsError) as caught:
        settings.change({"a\r\nb" * 100: 1}, actor=actor)
    assert len(next(iter(caught.value.fields))) <= 40
    assert "\n" not in caught.value.message


def test_refusal_of_many_fields_is_short(settings, actor):
    """100,000 settings that there are not: some sentences, and how many more there are."""
    with pytest.raises(SettingsError) as caught:
        settings.change({f"setting{n}": n for n in range(100_000)}, actor=actor)
    assert len(caught.value.fields) == 20
    assert caught.value.message.endswith(" There are 99980 more.")
    assert len(caught.value.message) < 8000


def test_change_is_told_with_old_and_new(settings, trail, actor):
    """The trail has the changed settings, before and after, and who did it."""
    settings.change({"internalScopes": ["@acme"], "publicReads": True}, actor=actor)
    (event,) = trail.chain()
    assert (event["event"], event["by"], event["ip"]) == ("settings.changed", "ann", "192.0.2.7")
    assert (event["old"], event["new"]) == ({"internalScopes": []}, {"internalScopes": ["@acme"]})


@pytest.mark.parametrize("wish", [{}, {"internalScopes": ["@acme"]}, {"rules": {}}])
def test_change_of_nothing_is_not_told(settings, trail, storage, actor, wish):
    """What changes nothing is answered, and neither written nor told."""
    settings.change({"internalScopes": ["@acme"]}, actor=actor)
    storage.calls.clear()
    assert settings.change(wish, actor=actor).internal_scopes == ("@acme",)
    assert {verb for verb, _ in storage.calls} <= {"read", "read_if_changed"}
    assert len(trail.chain()) == 1


def test_exception_is_stored_with_its_author(settings, storage, trail, clock, actor):
    """The author is the actor, and the exception is ready to be asked, here and in another process."""
    settings.change({"exceptions": [EXCEPTION | {"rules": ["malware"], "author": "root"}]}, actor=actor)
    other = SettingsStore(storage, trail=trail, clock=clock)
    exception = other.get().exceptions.covering("left-pad", "1.0.0", "malware", clock())
    assert exception.author == "ann"
    shown = settings.get().to_document()["exceptions"]
    assert settings.change({"exceptions": shown}, actor=Actor(name="bob")).exceptions == other.get().exceptions


def test_ensure_scopes_adds_what_is_missing(settings, trail, actor):
    """The scopes given at start are added once; those the organization has chosen stay."""
    settings.change({"internalScopes": ["@own"]}, actor=actor)
    for _ in range(3):
        assert settings.ensure_scopes(["@acme", "@own", "@acme"], actor=actor).internal_scopes == ("@own", "@acme")
    assert recorded(trail) == ["settings.changed"] * 2
    with pytest.raises(SettingsError):
        settings.ensure_scopes(["acme"], actor=actor)


def test_hot_settings_cost_one_look(settings, storage, actor):
    """Settings in use cost one question whether they changed."""
    settings.change({"publicReads": False}, actor=actor)
    settings.get()
    storage.calls.clear()
    assert settings.get() is settings.get()
    assert [verb for verb, _ in storage.calls] == ["read_if_changed"] * 2


def test_lost_races_end_in_busy(settings, storage, actor):
    """Three lost races are answered 503; nothing is stored."""
    settings.change({"publicReads": False}, actor=actor)
    storage.broken["replace", "settings.json"] = Changed("lost")
    with pytest.raises(Busy):
        settings.change({"publicReads": True}, actor=actor)
    assert [verb for verb, _ in storage.calls].count("replace") == 3
    assert settings.get().public_reads is False


def test_changes_at_the_same_time_are_all_there(storage, clock):
    """Two who change different settings at once both get what they asked for."""
    stores = [SettingsStore(storage, trail=Trail(storage, org="acme", clock=clock), clock=clock) for _ in range(2)]
    wishes = [{"publicReads": False}, {"versionUnpublish": True}]
    threads = [
        threading.Thread(target=store.change, args=(wish,), kwargs={"actor": Actor(name="ann")})
        for store, wish in zip(stores, wishes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (stores[0].get().public_reads, stores[0].get().version_unpublish) == (False, True)
    assert len(stores[0].trail.chain()) == 2


@pytest.mark.parametrize(
    ("wish", "recorded"),
    [
        pytest.param({"versionUnpublish": True}, [{"publicReads": False}, {"versionUnpublish": True}], id="another"),
        pytest.param({"publicReads": False}, [{"publicReads": False}], id="the same again"),
    ],
)
def test_pending_event_is_appended_by_the_next_change(settings, storage, trail, actor, wish, recorded):
    """A change that is stored holds, also when the trail cannot be written: the event follows, and is there once."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    assert settings.change({"publicReads": False}, actor=actor).public_reads is False
    storage.broken.clear()
    settings.change(wish, actor=actor)
    assert [event["new"] for event in trail.chain()] == recorded


def test_pending_event_must_be_appended_before_it_is_overwritten(settings, storage, trail, actor):
    """While the trail cannot be written, a second change is refused: its event would take the place of the first."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    settings.change({"publicReads": False}, actor=actor)
    with pytest.raises(StorageUnavailable):
        settings.change({"publicReads": True}, actor=actor)
    assert settings.get().public_reads is False


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b'{"format":9}',
        b'{"format":1,"settings":[]}',
        b'{"format":1,"settings":{}}',
        b'{"format":1,"settings":{"internalScopes":[]}}',
        b'{"format":1,"settings":{"publicReads":true}}',
        orjson.dumps({"format": 1, "settings": Settings().to_document() | {"exceptions": [EXCEPTION]}}),
        orjson.dumps({"format": 1, "settings": Settings().to_document() | {"internalScopes": ["acme"]}}),
        orjson.dumps({"format": 1, "settings": Settings().to_document() | {"publicReads": 1}}),
        orjson.dumps({"format": 1, "settings": Settings().to_document() | {"rules": {"malware": {"mode": "x"}}}}),
    ],
)
def test_damaged_settings_are_not_the_defaults(settings, storage, stored):
    """Settings that cannot be read are an error: forgetting the internal scopes would name them to the upstream."""
    storage.create("settings.json", stored)
    with pytest.raises(StorageUnavailable):
        settings.get()


def test_what_a_newer_version_stored_is_kept(settings, storage, actor):
    """Settings, rules, parameters and parts of exceptions that this version does not know survive its writes."""
    document = Settings().to_document() | {"newest": 1}
    document["rules"] = {"malware": {"mode": "warn", "new": 1}, "newer": {"mode": "block"}}
    document["exceptions"] = [EXCEPTION | {"author": "ann", "expiresAt": "2027-01-01T00:00:00.000Z", "team": "web"}]
    storage.create("settings.json", orjson.dumps({"format": 1, "settings": document, "events": [], "more": 2}))
    assert settings.get().rules == SHIPPED.defaults() | {"malware": {"mode": "warn"}}
    settings.change({"publicReads": False}, actor=actor)
    stored = orjson.loads(storage.read("settings.json").data)
    assert stored["settings"] == document | {"publicReads": False}
    assert stored["more"] == 2


def test_what_an_older_version_stored_is_read(settings, storage):
    """Settings that it did not know are at their defaults."""
    known = ("internalScopes", "publicReads", "exceptions", "rateLimit", "versionUnpublish")
    document = {name: value for name, value in Settings().to_document().items() if name in known}
    document["rules"] = {"version_age": {"mode": "warn", "hours": 72, "unknown": "allow"}}
    storage.create("settings.json", orjson.dumps({"format": 1, "settings": document, "events": []}))
    assert settings.get().ledger_days == 90
    assert settings.get().rules["version_age"] == {"mode": "warn", "hours": 72, "fixes": True, "unknown": "allow"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["@acme", "block", "malware"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(SHIPPED.ids), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(Settings().to_document())) | st.text(), json_values))
def test_any_change_is_made_or_refused(change):
    """Whatever JSON is sent, the result is settings that can be stored and read again, or a refusal."""
    try:
        settings = Settings().changed(change, author="ann", now=utc_now())
    except SettingsError:
        return
    assert Settings.from_document(orjson.loads(orjson.dumps(settings.stored_document()))) == settings
