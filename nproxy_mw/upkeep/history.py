"""Whether what is stored says what the audit trail tells of it. Pure.

Whoever can write to the storage can change an object and the events beside it, but what hangs in the chain is held by
the hashes after it. An event that hangs nowhere may be a crash's work; one that hangs and says otherwise is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.orgs import token_records
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.shipped import SHIPPED

UNTOLD = "the audit trail does not tell of the last change yet: run 'nproxy-mw check --repair'"
_SESSION_ID = 16  # hex digits of a session's hash, by which events name it


class Told:
    """What the chain of an administration tells, found by what it is about."""

    def __init__(self, chain: Iterable[Any]) -> None:
        self.events = [event for event in chain if isinstance(event, dict)]
        self.ids = {event.get("id") for event in self.events}
        self._about: dict[Any, list[Json]] = {}
        for event in self.events:
            self._about.setdefault(_subject(event), []).append(event)

    def about(self, subject: Any) -> list[Json]:
        """The events about a token or a session, by its hash or identifier, or about an administrator, by name."""
        return self._about.get(subject, [])

    def holds(self, told: Iterable[Json]) -> bool:
        """Whether all of *told*, as stored beside what they tell of, hang in the chain."""
        return all(event["id"] in self.ids for event in told)


def _subject(event: Json) -> Any:
    token = event.get("token")
    if isinstance(token, Mapping):
        return _hashable(token.get("hash"))
    return _hashable(event.get("session") or event.get("administrator"))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str) else None


def token_flaws(document: Json, told: Told) -> Iterator[str]:
    """What the trail tells otherwise of a token."""
    record = token_records.from_document(document)
    events = told.about(record.hash)
    made = [event["token"] for event in events if event.get("event") == "token.created"]
    if not any(event["event"] == "token.created" for event in record.events) or (
        not made and told.holds(record.events)
    ):
        yield "no event tells who made this token: somebody put it here; revoke it"
    if made and made[0] != token_records.named(record):
        yield "the audit trail tells of this token's name, scopes or expiry otherwise: somebody changed it; revoke it"
    if record.revoked_at is None and any(event.get("event") == "token.revoked" for event in events):
        yield "the audit trail tells that this token was revoked: somebody put it back; revoke it"


def settings_flaws(document: Json | None, told: Told) -> Iterator[str]:
    """What the trail tells otherwise of the settings; *document* is None when there are none."""
    changes = [event for event in told.events if event.get("event") == "settings.changed"]
    if document is None:
        if changes:
            yield "the settings are gone that the audit trail tells of: restore them from a backup"
        return
    changes += [event for event in document["events"] if event["id"] not in told.ids]
    stored = Settings.from_document(document["settings"]).to_document()
    told_of = Settings().to_document()
    for change in changes:
        told_of.update(change["new"])
    expected = Settings.from_document(told_of | {"rules": {}}).to_document()
    differing = [key for key in stored if key != "rules" and stored[key] != expected[key]]
    differing += [f"rules.{name}" for name in _differing_rules(document["settings"]["rules"], changes)]
    if differing:
        yield f"the audit trail tells otherwise of {', '.join(differing)}: somebody changed it past the registry"


def _differing_rules(stored: Json, changes: Iterable[Json]) -> Iterator[str]:
    """Names of rules that are not as they were set.

    A rule at its default is not stored, and defaults may be others in another version; so one that was set back to what
    it was at first is expected to be absent, or anything that it is by default.
    """
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for change in changes:
        old, new = change["old"].get("rules", {}), change["new"].get("rules", {})
        for name in new:
            if old.get(name) != new[name]:
                first.setdefault(name, old.get(name))
                last[name] = new[name]
    chosen = {name: rule for name, rule in last.items() if rule != first[name]}
    for name, rule in stored.items():
        if name not in last or _known(name, last[name]) != _known(name, rule):
            yield name
    yield from (name for name in chosen if name not in stored)


def _known(name: str, rule: Json) -> Json:
    """Returns all that this version knows of a rule: another version may have written less or more of it."""
    if name not in SHIPPED:
        return rule
    defaults = SHIPPED[name].defaults
    return defaults | {key: value for key, value in rule.items() if key in defaults}


def administrator_flaws(document: Json, told: Told) -> Iterator[str]:
    """What the trail tells otherwise of an administrator."""
    name, beside = document["name"], document["events"]
    hung = [event for event in told.about(name) if str(event.get("event")).startswith("administrator.")]
    if not any(event.get("administrator") == name for event in beside):
        yield "no event tells who made this administrator: somebody put it here; remove it"
        return
    if told.holds(beside) and (not hung or hung[-1]["id"] != beside[-1]["id"]):
        yield "the audit trail tells of a later change of this administrator: somebody put back an older state"
    if bool(document["password"]) == (beside[-1]["event"] == "administrator.removed"):
        yield "the audit trail tells otherwise of whether this administrator was removed: somebody changed it"


def session_flaws(document: Json, told: Told) -> Iterator[str]:
    """What the trail tells otherwise of a session. A session is told of before it begins, and ends before that is."""
    events = told.about(document["hash"][:_SESSION_ID])
    kinds = {event.get("event") for event in events if event.get("administrator") == document["administrator"]}
    if "session.created" not in kinds:
        yield "no event tells of this sign-in: somebody put the session here; remove it"
    elif "session.ended" in kinds:
        yield "the audit trail tells that this session has ended: somebody put it back; remove it"
