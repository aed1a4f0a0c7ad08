"""A refusal: a response that the server gives by itself, in the registry's form of an error."""

from __future__ import annotations

import orjson
from gunicorn.http import errors
from msgspec import Struct


class Overloaded(Exception):
    """There is no room for this request now."""


class ServerRefusal(Struct, frozen=True):
    """*status* is a status line without its version; *headers* are whole lines."""

    status: str
    code: str
    sentence: str
    headers: str = ""

    @property
    def is_bug(self) -> bool:
        """Whether the server is to blame."""
        return self.status.startswith("500")

    def response(self, request_id: str) -> bytes:
        """Returns the whole response."""
        body = orjson.dumps({"error": self.sentence, "code": self.code, "requestId": request_id})
        head = f"HTTP/1.1 {self.status}\r\nConnection: close\r\nContent-Type: application/json\r\n{self.headers}"
        return f"{head}X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def refusal_for(error: BaseException) -> ServerRefusal:
    """Returns the response to a request that the server could not read or handle."""
    for kind, refusal in _REFUSALS.items():
        if isinstance(error, kind):
            return refusal
    return _BUG


_BUG = ServerRefusal(
    "500 Internal Server Error", "internal-error", "Something went wrong in the server; its log says what."
)
_OUR_FAULT: list[type[BaseException]] = [
    getattr(errors, name) for name in ("InvalidResponseHeader", "InvalidResponseHeaderName", "ConfigurationProblem")
]
_REFUSALS: dict[type[BaseException], ServerRefusal] = {
    **dict.fromkeys(_OUR_FAULT, _BUG),  # first, because some are subclasses of what clients do wrong
    errors.LimitRequestLine: ServerRefusal("414 URI Too Long", "uri-too-long", "The path of the request is too long."),
    errors.LimitRequestHeaders: ServerRefusal(
        "431 Request Header Fields Too Large",
        "headers-too-large",
        "The headers of the request are too many, or too large.",
    ),
    errors.ExpectationFailed: ServerRefusal(
        "417 Expectation Failed",
        "expectation-failed",
        "The only thing that a request may expect of this server is '100-continue'.",
    ),
    errors.UnsupportedTransferCoding: ServerRefusal(
        "501 Not Implemented",
        "unsupported-transfer-encoding",
        "The only Transfer-Encoding that this server understands is 'chunked'.",
    ),
    errors.ParseException: ServerRefusal(
        "400 Bad Request", "malformed-request", "That is not a request as HTTP defines it."
    ),
    Overloaded: ServerRefusal(
        "503 Service Unavailable",
        "server-busy",
        "The server is receiving too many large requests: send this one again in a few seconds.",
        "Retry-After: 10\r\n",
    ),
}
