"""Whatever a page changes, the management API changes too."""

from __future__ import annotations

from support.hosting import PlatformFixture

from nproxy_mw.middleware.dashboard.pages import ROUTES

CALLS = {
    "sign-in": "signIn",
    "sign-out": "signOut",
    "orgs": "createOrganization",
    "orgs/{org}/tokens": "createToken",
    "orgs/{org}/tokens/revoke-all": "revokeAllTokens",
    "orgs/{org}/tokens/{id}/revoke": "revokeToken",
    "orgs/{org}/settings": "changeSettings",
    "orgs/{org}/rules": "changeSettings",
    "orgs/{org}/exceptions": "changeSettings",
    "orgs/{org}/exceptions/remove": "changeSettings",
    "orgs/{org}/exceptions/requests/{id}": "approveExceptionRequest denyExceptionRequest",
    "orgs/{org}/explain": "explainPackage explainVersion",
    "orgs/{org}/explain/ask": "requestException",
    "orgs/{org}/incident": "findExposure",
    "orgs/{org}/incident/export": "findExposure",
    "orgs/{org}/incident/block": "blockVersions",
    "orgs/{org}/incident/revoke": "revokeTokens",
    "orgs/{org}/rules/preview": "previewSettings",
    "orgs/{org}/keys": "rotateKeys",
    "orgs/{org}/audit/verify": "verifyTrail",
    "orgs/{org}/packages/{package}/-/tag": "setTag",
    "orgs/{org}/packages/{package}/-/untag": "removeTag",
    "orgs/{org}/packages/{package}/-/deprecate": "deprecatePackage",
    "orgs/{org}/packages/{package}/-/unpublish": "unpublishPackage unpublishVersion",
    "people": "createAccount",
    "people/{id}": "changeAccount",
    "people/{id}/sign-out": "endSessions",
    "people/{id}/sessions/{session}/end": "endSession",
    "people/{id}/remove": "removeAccount",
    "account": "changePassword",
    "account/sessions/{session}/end": "endSession",
    "account/sessions/end-others": "endSessions",
    "account/sign-out": "endSessions",
}
"""Each form of a page, and the operations of the API that do what it does.

A new form needs its row here, and its operation there.
"""

FILES = {"orgs/{org}/audit/export": "exportTrail", "orgs/{org}/keys/download": "listKeys"}
"""Each file that a page offers, and the operation that returns the same."""


def test_every_form_has_its_operation() -> None:
    """And no row is about a form that does not exist."""
    forms = {route.path for route in ROUTES.all if "POST" in route.offers}
    assert sorted(forms) == sorted(CALLS)


def test_every_operation_exists() -> None:
    """In the description that the server gives of itself."""
    paths = PlatformFixture().stranger().get("/api/v1/openapi.json").json["paths"]
    operations = {one["operationId"] for path in paths.values() for one in path.values() if isinstance(one, dict)}
    named = {name for names in [*CALLS.values(), *FILES.values()] for name in names.split()}
    assert named <= operations
