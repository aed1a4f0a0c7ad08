"""The calls about requests for exceptions: an API token or a session asks, a session answers."""

from __future__ import annotations

from nproxy_mw.http.json_bodies import EXCEPTION_REQUEST
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply


def list_requests(call: Call, organization: Tenant) -> Response:
    """Returns the requests, newest first."""
    call.query()
    return reply({"requests": [request.to_document() for request in organization.exception_requests.list()]})


def ask(call: Call, organization: Tenant) -> Response:
    """Makes a request, or finds the one by the same caller for the same that is open."""
    document = call.document(limits=EXCEPTION_REQUEST)
    return reply(organization.exception_requests.ask(document, actor=call.actor).to_document(), 201)


def approve(call: Call, organization: Tenant) -> Response:
    """Approves a request: its exception holds from now on."""
    document = call.document(limits=EXCEPTION_REQUEST)
    return reply(organization.exception_requests.approve(_id_of(call), document, actor=call.actor).to_document())


def deny(call: Call, organization: Tenant) -> Response:
    """Denies a request."""
    document = call.document(limits=EXCEPTION_REQUEST)
    return reply(organization.exception_requests.deny(_id_of(call), document, actor=call.actor).to_document())


def _id_of(call: Call) -> str:
    return call.rest.split("/")[1]
