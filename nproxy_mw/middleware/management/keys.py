"""The calls about signing keys."""

from __future__ import annotations

from nproxy_mw.access import Role
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import a_list, an_object, ref


def list_keys(call: Call, organization: Tenant) -> Response:
    """Returns the public keys, newest first."""
    call.query()
    return reply({"keys": organization.keys.public_keys()})


def rotate_keys(call: Call, organization: Tenant) -> Response:
    """Makes new keys, and returns all public ones."""
    call.query()
    organization.keys.rotate(actor=call.actor)
    return reply({"keys": organization.keys.public_keys()}, 201)


_PATH = "/orgs/{orgId}/keys"
_KEYS = an_object({"keys": a_list(ref("Key"))})

OPERATIONS = (
    Operation("GET", _PATH, "listKeys", "The public signing keys", OfOrganization(list_keys, Role.READER), _KEYS),
    Operation(
        "POST",
        _PATH,
        "rotateKeys",
        "Makes new signing keys; what the old ones signed stays valid",
        OfOrganization(rotate_keys),
        _KEYS,
        status="201",
        refusals="409",
    ),
)
