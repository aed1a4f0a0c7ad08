"""The calls about signing keys."""

from __future__ import annotations

from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply


def list_keys(call: Call, organization: Tenant) -> Response:
    """Returns the public keys, newest first."""
    call.query()
    return reply({"keys": organization.keys.public_keys()})


def rotate_keys(call: Call, organization: Tenant) -> Response:
    """Makes new keys, and returns all public ones."""
    call.query()
    organization.keys.rotate(actor=call.actor)
    return reply({"keys": organization.keys.public_keys()}, 201)
