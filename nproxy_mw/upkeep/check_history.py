"""Whether what is stored agrees with the audit trail. Pure.

Anyone who can write to the storage can change an object and the events stored with it, but an event in the chain is
protected by the hashes after it. An event that is not in the chain may be the result of a crash; an event in the chain
that contradicts the object is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.orgs import token_records
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.shipped import SHIPPED

PENDING = "the audit trail does not record the last change yet: run 'nproxy-mw check --repair'"
_SESSION_ID = 16  # hex digits of a session's hash, by which events name it


class TrailHistory:
    """What the chain of an administration records, found by what it is about."""

    def __init__(self, chain: Iterable[Any]) -> None:
        self.events = [event for event in chain if isinstance(event, dict)]
        self.ids = {event.get("id") for event in self.events}
        self._about: dict[Any, list[Json]] = {}
        for event in self.events:
            self._about.setdefault(_subject(event), []).append(event)

    def about(self, subject: Any) -> list[Json]:
        """Returns the events about a token or session, by its hash or identifier, or an administrator, by name."""
        return self._about.get(subject, [])

    def holds(self, recorded: Iterable[Json]) -> bool:
        """Returns whether all of *recorded*, events as stored together with what they record, are in the chain."""
        return all(event["id"] in self.ids for event in recorded)


def _subject(event: Json) -> Any:
    token = event.get("token")
    if isinstance(token, Mapping):
        return _hashable(token.get("hash"))
    return _hashable(event.get("session") or event.get("administrator"))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str) else None


def check_pending(document: Json, history: TrailHistory) -> Iterator[str]:
    """Yields a sentence when events of the last change are not in the chain."""
    if not history.holds(document["events"]):
        yield PENDING


def check_token(document: Json, history: TrailHistory) -> Iterator[str]:
    """Yields a sentence for everything in which the trail contradicts a token."""
    record = token_records.from_document(document)
    events = history.about(record.hash)
    created = [event["token"] for event in events if event.get("event") == "token.created"]
    is_explained = any(event["event"] == "token.created" for event in record.events)
    if not is_explained or (not created and history.holds(record.events)):
        yield "no event records who made this token, so somebody put it here: revoke it"
    if created and created[0] != token_records.named(record):
        yield "the audit trail records another name, other rights or another expiry of this token: revoke it"
    if record.revoked_at is None and any(event.get("event") == "token.revoked" for event in events):
        yield "the audit trail records that this token was revoked, so somebody put it back: revoke it"


def check_settings(document: Json | None, history: TrailHistory) -> Iterator[str]:
    """Yields a sentence for everything in which the trail contradicts the settings; *document* is None without any."""
    changes = [event for event in history.events if event.get("event") == "settings.changed"]
    if document is None:
        if changes:
            yield "the audit trail records settings that are gone: restore them from a backup"
        return
    changes += [event for event in document["events"] if event["id"] not in history.ids]
    stored = Settings.from_document(document["settings"]).to_document()
    recorded = Settings().to_document()
    for change in changes:
        recorded.update(change["new"])
    expected = Settings.from_document(recorded | {"rules": {}}).to_document()
    differing = [key for key in stored if key != "rules" and stored[key] != expected[key]]
    differing += [f"rules.{name}" for name in _differing_rules(document["settings"]["rules"], changes)]
    if differing:
        yield f"the audit trail records other values of {', '.join(differing)}: somebody bypassed the registry"


def _differing_rules(stored: Json, changes: Iterable[Json]) -> Iterator[str]:
    """Yields the names of rules that are not as they were set.

    A rule at its default is not stored, and defaults may differ in another version. So a rule that was set back to what
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


def check_administrator(document: Json, history: TrailHistory) -> Iterator[str]:
    """Yields a sentence for everything in which the trail contradicts an administrator."""
    name, own = document["name"], document["events"]
    recorded = [event for event in history.about(name) if str(event.get("event")).startswith("administrator.")]
    if not any(event.get("administrator") == name for event in own):
        yield "no event records who made this administrator, so somebody put it here: remove it"
        return
    if history.holds(own) and (not recorded or recorded[-1]["id"] != own[-1]["id"]):
        yield "the audit trail records a later change of this administrator: somebody put back an older state"
    if bool(document["password"]) == (own[-1]["event"] == "administrator.removed"):
        yield "the audit trail disagrees on whether this administrator was removed: somebody changed it"
    granted = [event for event in [*recorded, *own] if "role" in event]
    stored = document.get("role"), document.get("organizations")
    if granted and stored != (granted[-1]["role"], granted[-1].get("organizations")):
        yield "the audit trail records another role or other organizations of this administrator: somebody changed it"


def check_session(document: Json, history: TrailHistory) -> Iterator[str]:
    """Yields a sentence for everything in which the trail contradicts a session.

    A session is recorded before it begins, and it ends before that is recorded.
    """
    events = history.about(document["hash"][:_SESSION_ID])
    kinds = {event.get("event") for event in events if event.get("administrator") == document["administrator"]}
    if "session.created" not in kinds:
        yield "no event records this sign-in, so somebody put the session here: remove it"
    elif "session.ended" in kinds:
        yield "the audit trail records that this session ended, so somebody put it back: remove it"
