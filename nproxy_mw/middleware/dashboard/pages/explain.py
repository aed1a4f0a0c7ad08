"""Why a version of an upstream package is allowed or held: what each rule says of it.

Every refusal leads here. Anyone who could install the package may read it: with a session of the organization, with the
token that was refused, or without either where public packages can be read without a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest, Conflict, Forbidden, NotFound, NproxyError, TooManyRequests, Unauthenticated
from nproxy_mw.firewall.questions import explained
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.guards import check_form_token
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.token_reader import holder_of_token
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.routes import Kind, parse_route
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.rules.exception_documents import MAX_TEXT

TITLE = "Explain"

MARKS = {"held": "bad", "warned": "warn", "absent": "warn", "allowed": "good", "excepted": "good"}
"""How a verdict is colored."""

SIGN_IN = "Sign in, or give an API token of this organization."


@dataclass(frozen=True, slots=True)
class ExplainQuestion:
    """What a URL or a form asks to be explained."""

    package: str = ""
    version: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of a URL that asks for it."""
        return {"package": self.package, "version": self.version}


def show(request: PageRequest) -> Answer:
    """Returns the form, and the explanation of the package or the version in the URL when there is one."""
    asked = ExplainQuestion(request.query.text("package"), request.query.text("version"))
    if not _has_session(request) and not _is_public(request, asked):
        return _page(request, asked, sentence=SIGN_IN if asked.package else "")
    if not asked.package and not asked.version:
        return _page(request, asked)
    return _explained(request, asked)


def show_with_token(request: PageRequest) -> Answer:
    """Returns the explanation that a form asks for with an API token."""
    asked = ExplainQuestion(request.form.text("package"), request.form.text("version"))
    try:
        holder_of_token(request)
    except (Unauthenticated, Forbidden, TooManyRequests) as error:
        return _page(request, asked, problem=error.message, status=_status(error))
    return _explained(request, asked)


def ask_exception(request: PageRequest) -> Answer:
    """Asks for an exception for one version, for anyone who has a session or a token of the organization."""
    form, asked = request.form, ExplainQuestion(request.form.text("package"), request.form.text("version"))
    try:
        actor = _asker(request)
        wanted: dict[str, Any] = {
            "package": asked.package,
            "reason": form.text("reason"),
            "versions": [asked.version],
        }
        if rules := form.all("rules"):
            wanted["rules"] = rules
        request.organization.exception_requests.ask(wanted, actor=actor)
    except (BadRequest, Conflict, Unauthenticated, Forbidden, TooManyRequests) as error:
        return _page(request, asked, problem=error.message, status=_status(error))
    if _has_session(request):
        return Redirect(request.here("explain"), "exception-requested", query=asked.query)
    return _page(request, ExplainQuestion(), done=f"{asked.package} {asked.version}")


def _asker(request: PageRequest) -> Actor:
    if not _has_session(request):
        return holder_of_token(request)
    check_form_token(request)
    return request.actor


def _has_session(request: PageRequest) -> bool:
    """Whether a session sees the organization. For anybody else, it may exist or not."""
    if not request.user.sees(request.parts["org"]) or request.visitor is None:
        return False
    if not request.site.organizations.exists(request.parts["org"]):
        raise NotFound("There is no such organization.", code="organization-not-found")
    return True


def _is_public(request: PageRequest, asked: ExplainQuestion) -> bool:
    """Whether anybody could install the package without a token, and so may read why it is held."""
    if not asked.package or not request.site.organizations.exists(request.parts["org"]):
        return False
    settings = request.organization.settings.get()
    try:
        return settings.public_reads and parse_name(asked.package).scope not in settings.internal_scopes
    except BadRequest:
        return False


def _explained(request: PageRequest, asked: ExplainQuestion) -> Page:
    try:
        found = _explanation(request, request.organization, asked)
    except (BadRequest, NotFound) as error:
        return _page(request, asked, problem=error.message, status=error.status)
    return _page(request, asked, found=found)


def _explanation(request: PageRequest, organization: Organization, asked: ExplainQuestion) -> dict[str, Any]:
    name = parse_name(asked.package)
    if asked.version and not _is_version_or_tag(asked.version):
        raise BadRequest("That is not a version or a dist-tag, such as 1.2.3 or latest.", code="invalid-version")
    scopes = organization.settings.get().internal_scopes
    return explained(request.site.firewall_of(organization.id), scopes, name, asked.version)


def _is_version_or_tag(text: str) -> bool:
    """Whether npm could ask for it: what has no place in a path is neither."""
    try:
        return parse_route(f"/name/{text}").kind is Kind.MANIFEST
    except BadRequest:
        return False


def _status(error: NproxyError) -> int:
    """A browser has no way to answer the challenge of a 401."""
    return 403 if isinstance(error, Unauthenticated) else error.status


def _page(
    request: PageRequest,
    asked: ExplainQuestion,
    *,
    found: Any = None,
    problem: str = "",
    sentence: str = "",
    done: str = "",
    status: int = 200,
) -> Page:
    values = {
        "package": asked.package[:300],
        "version": asked.version[:300],
        "found": found,
        "problem": problem,
        "sentence": sentence,
        "done": done,
        "has_session": _has_session(request),
        "sign_in": request.sign_in_link(f"{request.here('explain')}?{urlencode(asked.query)}"),
        "marks": MARKS,
        "says": _says,
        "max_text": MAX_TEXT,
        "flagging": [one["rule"] for one in found["rules"] if _holds(one)] if found and "rules" in found else [],
    }
    return Page("explain.html", TITLE, values, status)


def _holds(word: dict[str, Any]) -> bool:
    return bool(word["flags"]) and word["mode"] == "block" and not word["exceptionUntil"]


def _says(word: dict[str, Any]) -> tuple[str, str]:
    """Returns what one rule says in a few words, and how that is colored."""
    if word["mode"] == "off":
        return "off", ""
    if word["flags"] and word["exceptionUntil"]:
        return "let through by an exception", "good"
    if word["flags"]:
        return ("holds it", "bad") if word["mode"] == "block" else ("warns of it", "warn")
    return ("cannot tell", "warn") if word["cannotTell"] else ("nothing found", "good")
