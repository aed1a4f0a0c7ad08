"""What one call of the management API is about: who calls, the body, the query, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from nproxy_mw.access import Actor, Principal, User
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, PayloadTooLarge
from nproxy_mw.http.context import actor_of, context_of
from nproxy_mw.http.json_bodies import MANAGEMENT, JsonLimits, read_object
from nproxy_mw.http.messages import NO_STORE, Response, json_response
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.ledger.seen import SeenIndex
from nproxy_mw.orgs.exception_requests import ExceptionRequestStore
from nproxy_mw.orgs.keys import KeyStore
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.packages.search.index import SearchIndex
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.rules.values import InvalidFields, Problems, ValueType, shown

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_PARAMETERS = 20
"""Parameters of a query."""


class Tenant(Protocol):
    """The parts of one organization that the management API is about."""

    @property
    def id(self) -> str: ...
    @property
    def settings(self) -> SettingsStore: ...
    @property
    def exception_requests(self) -> ExceptionRequestStore: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def trail(self) -> Trail: ...
    @property
    def packages(self) -> PackageStore: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def search_index(self) -> SearchIndex: ...
    @property
    def seen_index(self) -> SeenIndex: ...


Authenticator: TypeAlias = "Callable[[WSGIEnvironment], User | None]"
"""Returns who sent a request: by the host application's own login, or by the sessions of this server."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call.

    *actor* is the caller as the audit trail names them. *path* has the parameters in the path.
    """

    environ: WSGIEnvironment = field(repr=False)
    user: User
    actor: Actor
    path: Mapping[str, str] = field(default_factory=dict)

    def document(self, *known: str, limits: JsonLimits = MANAGEMENT) -> dict[str, Any]:
        """Returns the body, a JSON object whose keys are among *known*; any keys when none are given.

        Raises:
            BadRequest: it is not a JSON object, or has another key.
            PayloadTooLarge: it is larger than *limits* allow.
        """
        return read_document(self.environ, *known, limits=limits)

    def checked(self, body: ValueType, *, limits: JsonLimits = MANAGEMENT) -> dict[str, Any]:
        """Returns the body, an object of the type *body*. Raises as `document`, and `InvalidFields`."""
        problems, document = Problems(), self.document(limits=limits)
        if not body.accepts(document, "", problems):
            raise InvalidFields(problems.fields, count=problems.count)
        return document

    def query(self, *known: str) -> dict[str, str]:
        """Returns the query's parameters, each at most once and among *known*. Raises `InvalidFields`."""
        text = self.environ.get("QUERY_STRING", "")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
        except ValueError as error:
            raise BadRequest("The query of this URL is not valid.", code="invalid-query") from error
        _refuse_others([key for key, _ in pairs], known, "parameter")
        return dict(pairs)


def read_document(environ: WSGIEnvironment, *known: str, limits: JsonLimits) -> dict[str, Any]:
    """Returns the body of a request within *limits*; see `Call.document`."""
    try:
        document = read_object(environ, limits)
    except PayloadTooLarge as error:
        raise PayloadTooLarge("The request body is larger than anything this call takes.") from error
    if known:
        _refuse_others(list(document), known, "field")
    return document


def called_by(principal: Principal, environ: WSGIEnvironment) -> Actor:
    """Notes in the context who calls, for the layers above, and returns them as the audit trail names them."""
    context = context_of(environ, by="Management")
    context.principal = principal
    return actor_of(context, environ)


def reply(document: Any, status: int = 200) -> Response:
    """Returns *document* as JSON that nobody may keep."""
    return json_response(document, status, NO_STORE)


DONE = Response(204, NO_STORE)
"""What is answered when there is nothing to say."""


def _refuse_others(given: Sequence[str], known: Sequence[str], what: str) -> None:
    problems = Problems()
    for key in given:
        if key not in known:
            problems.add(shown(key), f"There is no such {what} here; there is {' and '.join(known) or 'none'}.")
    for key in known:
        if given.count(key) > 1:
            problems.add(key, f"This {what} is given twice.")
    if problems:
        raise InvalidFields(problems.fields, count=problems.count)
