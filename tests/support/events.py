"""Audit events for tests."""

from __future__ import annotations

from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail


def event(trail: Trail, actor: Actor, kind: str, **fields: Any) -> dict[str, Any]:
    """An event of this moment that is in no chain yet."""
    (made,) = trail.stamp(actor).events([(kind, fields)])
    return made


def recorded(trail: Trail) -> list[str]:
    """The kind of every event in the administration's chain."""
    return [event["event"] for event in trail.chain()]
