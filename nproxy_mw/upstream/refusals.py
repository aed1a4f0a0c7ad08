"""What the upstream said, what a client is told, and whether that may be kept: one table.

::

    the upstream says                            a client is told                      it may be kept
    200 and what was asked for                   that                                  yes
    404, 410; 200 and null                       404                                   for a minute
    401, 402, 403, 451                           403 with the upstream's reason        for a minute
    400, 405, 406, 422 and every other 4xx       400 with the upstream's reason        for a minute
    200 and an error object                      what its status or its word means     as that
    429, 503                                     503 with the upstream's Retry-After   never
    408, 425, 504                                504                                   never
    500 and every other status (204; 206, 304    502                                   never
    and 416 that nobody asked for)
    something else than what was asked for       502                                   never
    (no JSON, another package, HTML)

Clients try again after a 5xx, some of them for more than a minute, and never after a 4xx. So the table tells what will
not change soon from what may.

Where something is kept already, a refusal has to last before it is believed (`patience_for`), and what is kept is
served until then::

    404, 410, 451                            10 seconds      the package was taken away
    401, 402, 403 and every other 4xx        a day           credentials that ran out, a wrong proxy: an outage
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from nproxy_mw.errors import (
    BadRequest,
    Busy,
    ClientError,
    Forbidden,
    NotFound,
    NproxyError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from nproxy_mw.npm.slices import Members, as_count, as_text, list_of, members_of, outline
from nproxy_mw.times import utc_now

REASON_LIMIT = 64 * 1024  # bytes of a refusal's body that are read

_LONGEST_REASON = 300  # characters
_LONGEST_WAIT = 3600  # seconds
WITHDRAWN = "upstream-withdrew"
"""Code of the refusal that stands for status 451: a package that the law keeps back."""

_WITHDRAWAL, _OUTAGE = 10.0, 86_400.0  # seconds
_ABSENT = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 402, 403, 451})
_BUSY = frozenset({429, 503})
_SLOW = frozenset({408, 425, 504})
# What error objects that come with status 200 say in the place of a status.
_WORDS = {"not_found": 404, "not found": 404, "missing": 404, "forbidden": 403, "unauthorized": 401}


def refusal(
    status: int, what: str, reason: str = "", *, retry_after: str = "", now: datetime | None = None
) -> NproxyError:
    """Returns the error for an upstream that answers *status* to a read of *what* (``package``, ``tarball``).

    *reason* is the sentence it gives, *retry_after* its header of that name. If *now* is None, it is this moment.
    """
    if status in _ABSENT:
        return NotFound(f"The upstream registry has no such {what}.")
    if status in _FORBIDDEN:
        sentence = f"The upstream registry does not hand out this {what}"
        return Forbidden(_because(sentence, reason), code=WITHDRAWN if status == 451 else "upstream-refused")
    if status in _BUSY:
        wait = seconds_to_wait(retry_after, now or utc_now())
        return Busy("The upstream registry is busy: try again in a while.", retry_after=wait, code="upstream-busy")
    if status in _SLOW:
        return UpstreamTimeout("The upstream registry took too long to answer: try again in a while.")
    if 400 <= status < 500 and status != 416:
        sentence = f"The upstream registry refuses to answer for this {what}"
        return BadRequest(_because(sentence, reason), code="upstream-refused")
    return UpstreamUnavailable(f"The upstream registry answered {status}: try again in a while.")


def patience_for(refused: ClientError) -> float:
    """Returns for how many seconds the upstream must go on refusing what is kept before it is believed."""
    return _WITHDRAWAL if isinstance(refused, NotFound) or refused.code == WITHDRAWN else _OUTAGE


def is_error_object(members: Members) -> bool:
    """Whether a JSON object that came with status 200 says that something went wrong."""
    return "versions" not in members and ("error" in members or "errors" in members)


def error_of(members: Members, what: str, hidden: Callable[[str], str]) -> NproxyError:
    """Returns the error that an error object stands for; *hidden* takes addresses out of its reason."""
    reason = _reason(members)
    first = members_of(next(iter(list_of(members.get("errors"))), None)) or members
    status = as_count(first.get("status")) or 0
    if not 400 <= status < 600:
        status = _WORDS.get(reason.lower(), 0)
    if status:
        return refusal(status, what, hidden(reason))
    return UpstreamUnavailable(_because("The upstream registry answered with an error", hidden(reason)))


def reason_of(raw: bytes) -> str:
    """Returns the reason that the body of a refusal gives, on one line and not too long; empty when it gives none."""
    try:
        return _reason(outline(raw))
    except UpstreamUnavailable:
        return ""


def seconds_to_wait(retry_after: str, now: datetime) -> int:
    """Returns the seconds that a Retry-After header asks for, given as a number or a date: from 1 to an hour."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(max(int(retry_after[:9]), 1), _LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return 1
    seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    return int(min(max(seconds, 1), _LONGEST_WAIT))


def _reason(members: Members) -> str:
    for sentence in _sentences(members):
        line = " ".join("".join(character if character.isprintable() else " " for character in sentence).split())
        if line:
            return line[:_LONGEST_REASON]
    return ""


def _sentences(members: Members) -> Iterator[str]:
    """Yields what may be a reason: npm's ``error``, Artifactory's ``errors``, RFC 9457's ``detail``, and their like."""
    for value in [*map(members.get, ("error", "message", "reason", "detail")), *list_of(members.get("errors"))]:
        inner = members_of(value)
        yield from filter(None, map(as_text, (value, *map(inner.get, ("message", "error", "detail")))))


def _because(sentence: str, reason: str) -> str:
    return f"{sentence}: {reason.rstrip('.')}." if reason else f"{sentence}."
