"""The settings of an organization."""

import threading

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, Busy, Changed, StorageUnavailable
from nproxy_mw.orgs.settings import Settings, SettingsError, SettingsStore, StaticSettings
from nproxy_mw.orgs.settings_fields import changed, from_document, stored_document
from nproxy_mw.rules.catalog import RULES
from nproxy_mw.times import utc_now

EXCEPTION = {"package": "left-pad", "reason": "needed by the build", "expiresAt": "2027-01-01T00:00:00Z"}


@pytest.fixture
def settings(storage, trail, clock):
    return SettingsStore(storage, trail=trail, clock=clock)


def told(trail):
    return [event["event"] for event in trail.chain()]


def test_nothing_stored_is_the_defaults(settings, storage):
    """An organization that has decided nothing has the documented defaults, and nothing is written to say so."""
    assert settings.get().to_document() == {
        "internalScopes": [],
        "publicReads": True,
        "rules": {
            "malware": {"mode": "block"},
            "vulnerability": {"mode": "block", "severity": "high"},
            "first_seen": {"mode": "block", "days": 7, "unknown": "allow"},
            "unexpected_deps": {"mode": "warn"},
            "publisher_change": {"mode": "warn"},
            "install_scripts": {"mode": "warn"},
            "score": {"mode": "warn", "threshold": 0.4},
            "version_age": {"mode": "off", "hours": 72, "unknown": "allow"},
        },
        "exceptions": [],
        "rateLimit": None,
        "versionUnpublish": False,
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


def test_only_named_rules_and_parameters_change(settings, actor):
    """A rule's parameter changes alone, and null takes a rule back to its default."""
    settings.change({"rules": {"first_seen": {"days": 14}}}, actor=actor)
    after = settings.change({"rules": {"malware": {"mode": "warn"}}}, actor=actor)
    assert after.rules["first_seen"] == {"mode": "block", "days": 14, "unknown": "allow"}
    assert after.rules["malware"] == {"mode": "warn"}
    after = settings.change({"rules": {"first_seen": None}}, actor=actor)
    assert after.rules["first_seen"]["days"] == 7


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
        pytest.param({"rules": {"malwear": {"mode": "off"}}}, "rules.malwear", id="unknown rule"),
        pytest.param({"rules": {"malware": "off"}}, "rules.malware", id="a mode for a rule"),
        pytest.param({"rules": {"malware": {"mode": "on"}}}, "rules.malware.mode", id="unknown mode"),
        pytest.param({"rules": {"malware": {"mode": ["off"]}}}, "rules.malware.mode", id="mode is a list"),
        pytest.param({"rules": {"malware": {"days": 1}}}, "rules.malware.days", id="another rule's parameter"),
        pytest.param({"rules": {"first_seen": {"days": -1}}}, "rules.first_seen.days", id="negative"),
        pytest.param({"rules": {"first_seen": {"days": 1.5}}}, "rules.first_seen.days", id="not whole"),
        pytest.param({"rules": {"first_seen": {"days": True}}}, "rules.first_seen.days", id="flag for a number"),
        pytest.param({"rules": {"score": {"threshold": 1.1}}}, "rules.score.threshold", id="over the bound"),
        pytest.param({"rules": {"score": {"threshold": float("nan")}}}, "rules.score.threshold", id="not a number"),
        pytest.param({"rules": {"vulnerability": {"severity": "bad"}}}, "rules.vulnerability.severity", id="severity"),
        pytest.param({"rateLimit": 5}, "rateLimit", id="a number for a rate limit"),
        pytest.param({"rateLimit": {"requestsPerMinute": 0}}, "rateLimit.requestsPerMinute", id="no requests"),
        pytest.param({"rateLimit": {"perHour": 3}}, "rateLimit.perHour", id="unknown limit"),
        pytest.param({"exceptions": {}}, "exceptions", id="exceptions as an object"),
        pytest.param({"exceptions": ["left-pad"]}, "exceptions[0]", id="a name for an exception"),
        pytest.param({"exceptions": [EXCEPTION | {"package": "../x"}]}, "exceptions[0].package", id="no package"),
        pytest.param({"exceptions": [EXCEPTION | {"reason": " "}]}, "exceptions[0].reason", id="no reason"),
        pytest.param({"exceptions": [EXCEPTION | {"versions": "1.0.0"}]}, "exceptions[0].versions", id="versions"),
        pytest.param({"exceptions": [EXCEPTION | {"versions": ["^1"]}]}, "exceptions[0].versions", id="a range"),
        pytest.param({"exceptions": [EXCEPTION | {"rules": []}]}, "exceptions[0].rules", id="no rules"),
        pytest.param({"exceptions": [EXCEPTION | {"rules": [{}]}]}, "exceptions[0].rules", id="rule is an object"),
        pytest.param({"exceptions": [EXCEPTION | {"until": 1}]}, "exceptions[0].until", id="unknown part"),
        pytest.param(
            {"exceptions": [EXCEPTION | {"expiresAt": "2026-11-22T12:00:00Z"}]}, "exceptions[0].expiresAt", id="past"
        ),
        pytest.param(
            {"exceptions": [EXCEPTION | {"expiresAt": "2027-01-01"}]}, "exceptions[0].expiresAt", id="no zone"
        ),
        pytest.param(
            {"exceptions": [EXCEPTION | {"expiresAt": "9999-12-31T23:59:59-14:00"}]},
            "exceptions[0].expiresAt",
            id="edge",
        ),
        pytest.param({"exceptions": [EXCEPTION | {"expiresAt": None}]}, "exceptions[0].expiresAt", id="endless"),
        pytest.param({"exceptions": [{}]}, "exceptions[0].package", id="empty exception"),
    ],
)
def test_bad_wish_is_refused_field_by_field(settings, storage, actor, document, field):
    """What will not do is refused with a sentence at its field, and nothing changes, also what was right beside it."""
    settings.change({"internalScopes": ["@old"]}, actor=actor)
    before = {key: storage.read(key).data for key in storage.list()}
    wish = {"publicReads": False} | document if isinstance(document, dict) else document
    with pytest.raises(SettingsError) as caught:
        settings.change(wish, actor=actor)
    assert list(caught.value.fields) == [field] or field in caught.value.fields
    assert all(sentence.endswith((".", "}.")) for sentence in caught.value.fields.values())
    assert {key: storage.read(key).data for key in storage.list()} == before
    assert isinstance(caught.value, BadRequest)


def test_every_bad_field_is_told(settings, actor):
    """All that is wrong is told at once."""
    with pytest.raises(SettingsError) as caught:
        settings.change({"internalScopes": ["acme"], "publicReads": 0, "x": 1}, actor=actor)
    assert set(caught.value.fields) == {"internalScopes", "publicReads", "x"}


def test_unknown_key_is_echoed_short_and_plain(settings, actor):
    """A key nobody knows is named in the answer, cut and without control characters."""
    with pytest.raises(SettingsError) as caught:
        settings.change({"a\r\nb" * 100: 1}, actor=actor)
    assert len(next(iter(caught.value.fields))) <= 40
    assert "\n" not in caught.value.message


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


def test_exception_gets_its_author_and_may_be_sent_back(settings, clock, actor):
    """An exception is stored with who made it; the list may be sent back later, the expired one included."""
    stored = settings.change({"exceptions": [EXCEPTION | {"rules": ["malware"]}]}, actor=actor).exceptions
    assert stored[0] == EXCEPTION | {"rules": ["malware"], "author": "ann", "expiresAt": "2027-01-01T00:00:00.000Z"}
    clock.forward(days=365)
    more = {**EXCEPTION, "package": "@types/node", "versions": ["1.0.0"], "expiresAt": "2028-01-01T00:00:00+01:00"}
    assert len(settings.change({"exceptions": [*stored, more]}, actor=actor).exceptions) == 2


def test_ensure_scopes_adds_what_is_missing(settings, trail, actor):
    """The scopes given at start are added once; those the organization has chosen stay."""
    settings.change({"internalScopes": ["@own"]}, actor=actor)
    for _ in range(3):
        assert settings.ensure_scopes(["@acme", "@own", "@acme"], actor=actor).internal_scopes == ("@own", "@acme")
    assert told(trail) == ["settings.changed"] * 2
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


def test_untold_change_is_told_by_the_next(settings, storage, trail, actor):
    """A change whose process died before telling of it holds, and is told of by the next change or by repair."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        settings.change({"publicReads": False}, actor=actor)
    storage.broken.clear()
    settings.change({"versionUnpublish": True}, actor=actor)
    assert [event["new"] for event in trail.chain()] == [{"publicReads": False}, {"versionUnpublish": True}]
    assert settings.repair() is False


def test_untold_change_is_told_by_repair(settings, storage, trail, actor):
    """Repair tells of the last change when nobody else did."""
    assert settings.repair() is False
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        settings.change({"publicReads": False}, actor=actor)
    storage.broken.clear()
    assert settings.repair() is True
    assert told(trail) == ["settings.changed"]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b'{"format":9}',
        b'{"format":1,"settings":[]}',
        b'{"format":1,"settings":{"internalScopes":["acme"]}}',
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


def test_settings_of_a_newer_version_are_read(settings, storage, actor):
    """What a newer version stored beside what this one knows is passed over."""
    document = Settings().to_document()
    document["rules"] = {"malware": {"mode": "warn", "new": 1}, "newer": {"mode": "block"}}
    storage.create("settings.json", orjson.dumps({"format": 1, "settings": document | {"newest": 1}, "events": []}))
    assert settings.get().rules["malware"] == {"mode": "warn"}
    assert set(settings.get().rules) == set(RULES)


def test_static_settings_answer_what_they_were_given():
    """A host may give settings in its own code."""
    assert StaticSettings(Settings(internal_scopes=("@acme",))).get().internal_scopes == ("@acme",)
    assert StaticSettings().get() == Settings()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["@acme", "block", "malware"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(sorted(RULES)), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(Settings().to_document())) | st.text(), json_values))
def test_any_wish_is_taken_or_refused(wish):
    """Whatever JSON is sent, the answer is settings that can be stored and read again, or a refusal."""
    try:
        settings = changed(Settings(), wish, author="ann", now=utc_now())
    except SettingsError:
        return
    assert from_document(orjson.loads(orjson.dumps(stored_document(settings)))) == settings
