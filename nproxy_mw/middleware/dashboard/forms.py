"""Forms as browsers send them, read within limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from nproxy_mw.errors import BadRequest
from nproxy_mw.http.bodies import read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
LIMIT = 256 * 1024  # bytes; a hundred scopes and a thousand exceptions have less
MAX_FIELDS = 500
MAX_PARAMETERS = 20  # of a query


@dataclass(frozen=True, slots=True)
class SentForm:
    """The fields of a form or of a query, each with its values in order."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Returns the first value of a field, without spaces around it."""
        return self.fields.get(name, (default,))[0].strip()

    def raw(self, name: str) -> str:
        """Returns the first value of a field as it was typed: for passwords."""
        return self.fields.get(name, ("",))[0]

    def all(self, name: str) -> list[str]:
        """Returns all values of a field: those of the boxes that are checked."""
        return list(self.fields.get(name, ()))

    def is_checked(self, name: str) -> bool:
        """Returns whether a box is checked."""
        return name in self.fields


def read_form(environ: WSGIEnvironment) -> SentForm:
    """Returns the form in a request's body.

    Raises:
        BadRequest: the body is no form, or has too many fields.
        PayloadTooLarge, LengthRequired: see `read_body`.
    """
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != FORM:
        raise BadRequest("That is not what the form sends.", code="invalid-form")
    return _parsed(bytes(read_body(environ, LIMIT)), MAX_FIELDS)


def read_query(environ: WSGIEnvironment) -> SentForm:
    """Returns the parameters of a request's URL. Raises `BadRequest` when they cannot be read."""
    return _parsed(environ.get("QUERY_STRING", "").encode("latin-1"), MAX_PARAMETERS)


def _parsed(data: bytes, most: int) -> SentForm:
    try:
        return SentForm(parse_qs(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most))
    except ValueError as error:
        raise BadRequest("The form or the URL cannot be read.", code="invalid-form") from error
