"""The calls about requests for exceptions: an API token or a session asks, a session answers."""

from __future__ import annotations

from nproxy_mw.access import Role
from nproxy_mw.http.json_bodies import EXCEPTION_REQUEST
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import a_list, an_object, ref
from nproxy_mw.rules.exception_documents import APPROVAL, DENIAL


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
    return reply(
        organization.exception_requests.approve(call.path["requestId"], document, actor=call.actor).to_document()
    )


def deny(call: Call, organization: Tenant) -> Response:
    """Denies a request."""
    document = call.document(limits=EXCEPTION_REQUEST)
    denied = organization.exception_requests.deny(call.path["requestId"], document, actor=call.actor)
    return reply(denied.to_document())


_PATH = "/orgs/{orgId}/exceptions/requests"
_REQUEST = ref("ExceptionRequest")

OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listExceptionRequests",
        "The requests for exceptions, newest first",
        OfOrganization(list_requests, Role.READER),
        an_object({"requests": a_list(_REQUEST)}),
    ),
    Operation(
        "POST",
        _PATH,
        "requestException",
        "Asks for an exception, by a session or an API token with the scope proxy",
        OfOrganization(ask, Role.READER, by_token=True),
        _REQUEST,
        status="201",
        body=ref("NewExceptionRequest"),
        refusals="409",
    ),
    Operation(
        "POST",
        f"{_PATH}/{{requestId}}/approve",
        "approveExceptionRequest",
        "Approves a request and adds its exception to the settings",
        OfOrganization(approve),
        _REQUEST,
        body=APPROVAL.schema,
        refusals="409",
    ),
    Operation(
        "POST",
        f"{_PATH}/{{requestId}}/deny",
        "denyExceptionRequest",
        "Denies a request",
        OfOrganization(deny),
        _REQUEST,
        body=DENIAL.schema,
        refusals="409",
    ),
)
