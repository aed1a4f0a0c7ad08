"""What a check finds by comparing what is stored with what the audit trail tells of it."""

from __future__ import annotations

import orjson
import pytest
from argon2 import PasswordHasher
from support.publications import ACTOR
from support.stores import UTILS, edit, found, keys_of, overwrite

from nproxy_mw.access import Grant, User
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.copies import replace
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.restrictions import Restrictions, parse_addresses, parse_packages
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.upkeep.check import check

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SETTINGS = "orgs/acme/settings.json"


@pytest.fixture
def administrators(store):
    return AdministratorStore(store, trail=OrganizationDirectory(store).trail("system"), hasher=CHEAP)


@pytest.fixture
def sessions(store, administrators):
    administrators.create("ann", "correct horse battery", actor=ACTOR)
    return SessionStore(store, epoch_of=administrators.epoch_of, trail=administrators.trail)


def token_key(store, name):
    tokens = {orjson.loads(store.read(key).data)["name"]: key for key in keys_of(store, "orgs/acme/tokens/")}
    return tokens[name]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"scopes": ["proxy", "publish"]}, id="scopes"),
        pytest.param({"expiresAt": "2099-01-01T00:00:00.000Z"}, id="expiry"),
        pytest.param({"name": "ci"}, id="name"),
    ],
)
@pytest.mark.parametrize("with_events", [False, True], ids=["record", "record and its events"])
def test_token_that_was_changed_is_found(store, change, with_events):
    """By the event that hangs in the chain, also when the one beside the token was changed alike."""
    key = token_key(store, "laptop")

    def alter(document):
        document.update(change)
        if with_events:
            document["events"][0]["token"].update(change)

    edit(store, key, alter)
    (finding,) = found(store)
    assert finding.startswith(
        f"{key}: the audit trail records another name, other rights or another expiry of this token"
    )


def test_token_whose_revocation_was_undone_is_found(store):
    """Also when its events no longer tell of it."""
    key = token_key(store, "ci")
    edit(store, key, lambda it: it.update(revokedAt=None, events=it["events"][:1]))
    assert found(store) == [
        f"{key}: the audit trail records that this token was revoked, so somebody put it back: revoke it"
    ]


def test_token_with_the_events_of_another_is_found(store):
    """Events that hang in the chain are of no use to a token that they are not about."""
    document = orjson.loads(store.read(token_key(store, "laptop")).data)
    planted = f"orgs/acme/tokens/{'f' * 64}.json"
    store.create(planted, orjson.dumps({**document, "hash": "f" * 64}))
    (finding,) = found(store)
    assert finding.startswith(f"{planted}: no event records who made this token")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda it: it["restricted"].update(packages=["@acme"]), id="packages"),
        pytest.param(lambda it: it["restricted"].update(addresses=["0.0.0.0/0"]), id="addresses"),
        pytest.param(lambda it: it.update(scopes=it.pop("restricted")["scopes"]), id="no restrictions any more"),
    ],
)
def test_restrictions_that_were_changed_are_found(store, acme, change):
    """Somebody who can write to the storage widened a token."""
    restrictions = Restrictions(parse_packages(["@acme/web-*"]), parse_addresses(["10.0.0.0/8"]))
    acme.tokens.create("narrow", [Grant.PROXY], restrictions=restrictions, actor=ACTOR)
    assert found(store) == []
    edit(store, token_key(store, "narrow"), change)
    (finding,) = found(store)
    assert "records another name, other rights or another expiry of this token" in finding


def test_last_use_is_no_change(store, acme):
    """It is written without an event."""
    secret, _ = acme.tokens.create("used", [Grant.PROXY], actor=ACTOR)
    assert acme.tokens.find(secret) is not None
    assert found(store) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(lambda it: it["internalScopes"].append("@evil"), "internalScopes", id="scope more"),
        pytest.param(lambda it: it["internalScopes"].clear(), "internalScopes", id="scopes gone"),
        pytest.param(
            lambda it: it.update(publicReads=False, versionUnpublish=True), "publicReads, versionU", id="flags"
        ),
        pytest.param(lambda it: it.update(rateLimit={"requestsPerMinute": 1}), "rateLimit", id="limit"),
    ],
)
def test_settings_that_were_changed_are_found(store, change, named):
    """By the sum of all changes that the trail tells of."""
    edit(store, SETTINGS, lambda it: change(it["settings"]))
    (finding,) = found(store)
    assert finding.startswith(f"{SETTINGS}: the audit trail records other values of {named}")


def rule_of(acme):
    """Some rule, and two things that it can be set to, its default first."""
    rules = acme.settings.get().to_document()["rules"]
    name, rule = next((name, rule) for name, rule in rules.items() if rule["mode"] in ("off", "warn", "block"))
    return name, rule["mode"], next(mode for mode in ("warn", "block") if mode != rule["mode"])


def test_changed_settings_are_no_finding(store, acme):
    """Whatever was changed by the registry, there and back again."""
    name, default, other = rule_of(acme)
    for change in (
        {"internalScopes": ["@acme", "@more"], "publicReads": False},
        {"rules": {name: {"mode": other}}},
        {"rateLimit": {"publishesPerMinute": 5}},
    ):
        acme.settings.change(change, actor=ACTOR)
        assert found(store) == []
    acme.settings.change({"rules": {name: {"mode": default}}, "rateLimit": None}, actor=ACTOR)
    assert found(store) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rule: {"hours": rule.parameters["hours"]}, id="older"),
        pytest.param(lambda rule: {**rule.parameters, "newer": rule.parameters["fixes"]}, id="newer"),
    ],
)
def test_rules_set_by_another_version_are_no_finding(store, acme, change):
    """A version whose rule has other parameters set it, and this version stored it again."""
    age = replace(SHIPPED["version_age"], parameters=change(SHIPPED["version_age"]))
    catalog = Catalog([age if rule.id == age.id else rule for rule in SHIPPED])
    other = SettingsStore(acme.storage, trail=acme.trail, catalog=catalog)
    other.change({"rules": {"version_age": {"mode": "warn"}}}, actor=ACTOR)
    assert found(store) == []
    acme.settings.change({"publicReads": False}, actor=ACTOR)
    assert found(store) == []
    edit(store, SETTINGS, lambda it: it["settings"]["rules"]["version_age"].update(fixes=False))
    assert ["rules.version_age" in finding for finding in found(store)] == [True]


def test_rule_that_was_changed_is_found(store, acme):
    """Taken out, put in, or set otherwise."""
    name, _, other = rule_of(acme)
    acme.settings.change({"rules": {name: {"mode": other}}}, actor=ACTOR)
    after = orjson.loads(store.read(SETTINGS).data)
    edit(store, SETTINGS, lambda it: it["settings"]["rules"].clear())
    assert [f"rules.{name}" in finding for finding in found(store)] == [True]
    acme.storage.delete("settings.json")
    assert any("settings that are gone" in finding for finding in found(store))
    acme.storage.create("settings.json", orjson.dumps(after))
    assert found(store) == []
    other_org = "orgs/umbrella/settings.json"
    edit(store, other_org, lambda it: it["settings"].update(rules=after["settings"]["rules"]))
    assert [finding.partition(":")[0] for finding in found(store)] == [other_org]


def test_settings_whose_change_is_untold_are_only_untold(store, acme):
    """A crash between the settings and the chain is not somebody's work."""
    chain = acme.storage.read("audit/administration.json")
    acme.settings.change({"publicReads": False}, actor=ACTOR)
    overwrite(store, "orgs/acme/audit/administration.json", chain.data)
    assert [it for it in found(store) if it.startswith(SETTINGS)] == [
        f"{SETTINGS}: the audit trail does not record the last change yet: run 'nproxy-mw check --repair'"
    ]


def test_number_that_could_be_given_again_is_found(store, acme):
    """Published, unpublished, and no longer burnt: of a package that is there, and of one that is not."""
    name = parse_name("@acme/utils")
    acme.packages.unpublish_versions(name, frozenset({"1.0.0"}), acme.packages.record(name)[0].revision, ACTOR)
    assert [it for it in found(store) if "tarballs" not in it] == []
    edit(store, UTILS, lambda it: it["burnt"].clear())
    edit(store, "orgs/acme/packages/@acme/gone/record.json", lambda it: it["burnt"].clear())
    told = "version 1.0.0 was published and is neither there nor retired: its number could be given again"
    assert sorted(found(store)) == [f"orgs/acme/packages/@acme/gone/record.json: {told}", f"{UTILS}: {told}"]


def test_administrators_and_sessions_in_order_are_no_finding(store, administrators, sessions):
    """Made, given another password, removed, made again; signed in and out."""
    secret, _ = sessions.create(User("ann"), actor=ACTOR)
    sessions.create(User("ann"), actor=ACTOR)
    sessions.revoke(secret, actor=ACTOR)
    administrators.set_password("ann", "another horse battery", actor=ACTOR)
    administrators.create("bob", "correct horse battery", actor=ACTOR)
    administrators.remove("bob", actor=ACTOR)
    assert found(store) == []
    administrators.create("bob", "correct horse battery", actor=ACTOR)
    assert found(store) == []


def test_planted_administrator_is_found(store, sessions):
    """Without events, or with those of another."""
    ann = orjson.loads(store.read("administrators/ann.json").data)
    store.create("administrators/eve.json", orjson.dumps({**ann, "name": "eve"}))
    store.create("administrators/eva.json", orjson.dumps({**ann, "name": "eva", "events": []}))
    told = "no event records who made this administrator, so somebody put it here: remove it"
    assert found(store) == [f"administrators/eva.json: {told}", f"administrators/eve.json: {told}"]


def test_administrator_that_was_put_back_is_found(store, administrators, sessions):
    """An older state, with the password of then; or a removed one with a password."""
    before = store.read("administrators/ann.json").data
    administrators.set_password("ann", "another horse battery", actor=ACTOR)
    overwrite(store, "administrators/ann.json", before)
    assert ["a later change" in finding for finding in found(store)] == [True]
    administrators.remove("ann", actor=ACTOR)
    edit(store, "administrators/ann.json", lambda it: it.update(password=orjson.loads(before)["password"]))
    assert ["whether this administrator was removed" in finding for finding in found(store)] == [True]


def test_planted_session_is_found(store, sessions):
    """One that nobody signed in for, and one that had ended."""
    secret, _ = sessions.create(User("ann"), actor=ACTOR)
    (key,) = keys_of(store, "sessions/")
    data = store.read(key).data
    sessions.revoke(secret, actor=ACTOR)
    store.create(key, data)
    planted = f"sessions/{'f' * 64}.json"
    store.create(planted, orjson.dumps({**orjson.loads(data), "hash": "f" * 64}))
    assert sorted(found(store)) == sorted(
        [
            f"{key}: the audit trail records that this session ended, so somebody put it back: remove it",
            f"{planted}: no event records this sign-in, so somebody put the session here: remove it",
        ]
    )


def test_change_made_meanwhile_is_no_finding(store, acme, monkeypatch):
    """What was read of the trail a moment ago is read again before anybody is accused."""
    real, waiting = type(acme.storage).list, [True]

    def change_first(self, prefix=""):
        if waiting and prefix == "tokens" and self.prefix.startswith("orgs/acme"):
            waiting.pop()
            acme.tokens.create("meanwhile", [Grant.PROXY], actor=ACTOR)
            acme.settings.change({"publicReads": False}, actor=ACTOR)
        return real(self, prefix)

    monkeypatch.setattr(type(acme.storage), "list", change_first)
    assert [finding for finding in map(str, check(store, ["acme"])) if "index" not in finding] == []
    assert waiting == []
