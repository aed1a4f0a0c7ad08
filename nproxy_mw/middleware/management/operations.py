"""One row for each call of the management API. The rows route the requests, and they are the API's description."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nproxy_mw.access import Role
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Public:
    """Everybody may make the call, without a session."""

    handler: Callable[[WSGIEnvironment], Response]


@dataclass(frozen=True, slots=True)
class ForUsers:
    """Who has a session may make the call."""

    handler: Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class OfOrganization:
    """Who has *role* in the organization of the path may make the call; if *by_token*, its API tokens too."""

    handler: Callable[[Call, Tenant], Response]
    role: Role = Role.ADMINISTRATOR
    by_token: bool = False


Admission: TypeAlias = "Public | ForUsers | OfOrganization"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call.

    *path* begins below ``/api/v1`` and names its parameters in braces. *name* is the operation's id. *answer* and
    *body* are JSON schemas, None where there is no such document; *query* has a schema for each parameter. *refusals*
    are statuses in addition to those that each call may have.
    """

    method: str
    path: str
    name: str
    summary: str
    access: Admission
    answer: Any = None
    status: str = "200"
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    refusals: str = ""


class OperationTable:
    """The *operations*, found by path. Of two paths that match, the one that is listed first is meant."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = tuple(operations)
        self._paths = [(_pattern(path), self._at(path)) for path in dict.fromkeys(one.path for one in operations)]

    def find(self, path: str) -> tuple[Mapping[str, Operation], dict[str, str]]:
        """Returns the operations at *path* by method, and the parameters in it; no operations for an unknown path."""
        for pattern, operations in self._paths:
            if found := pattern.fullmatch(path):
                return operations, found.groupdict()
        return {}, {}

    def _at(self, path: str) -> dict[str, Operation]:
        return {one.method: one for one in self.operations if one.path == path}


def parameters_in(path: str) -> list[str]:
    """Returns the names of the parameters in a path, in order."""
    return re.findall(r"\{(\w+)\}", path)


def _pattern(path: str) -> re.Pattern[str]:
    """A package's name may be two segments: servers decode the slash of a scoped one."""
    text = path.replace("{name}", r"(?P<name>@[^/]+/[^/]+|[^/]+)")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text))
