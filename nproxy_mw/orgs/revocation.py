"""Ending many API tokens at once, within the time that a request may take; and what came of it.

Each token has its own record and its own audit event, so a call that ends early has done what it says, and no more.
The events are appended to the trail in one write, so 500 tokens cost two requests each, and not a walk over the trail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from nproxy_mw.access import Actor
from nproxy_mw.errors import Busy, NotFound, NproxyError
from nproxy_mw.orgs.token_records import ID_LENGTH
from nproxy_mw.orgs.tokens import TokenStore, unknown_token

MAX_NAMED = 500
"""Tokens that one call may name."""

SECONDS = 20.0
"""That one call takes at most, before its last token: a server gives a request little more."""

THREADS = 8
"""Tokens that are ended at once: on a storage on the network, each waits for two answers."""

NOT_REACHED = "There was no time for this one: send it again."


@dataclass(frozen=True, slots=True)
class Revocation:
    """The ids that were *revoked*, and those that were *left*, each with the error that says why."""

    revoked: Sequence[str]
    left: Mapping[str, NproxyError]


def revoke_each(
    tokens: TokenStore, ids: Iterable[str], *, actor: Actor, clock: Callable[[], float] = time.monotonic
) -> Revocation:
    """Ends the tokens with these *ids*, each as `TokenStore.revoke` does.

    What is wrong with one does not keep the others: it is among those that are left. After `SECONDS` by *clock*, the
    rest is left.

    Raises:
        StorageUnavailable: the tokens cannot be listed. None is revoked.
    """
    end = clock() + SECONDS
    hashes = {found[:ID_LENGTH]: found for found in tokens.hashes()}
    wanted = list(dict.fromkeys(ids))
    with (
        tokens.revoking(actor) as revoke,
        ThreadPoolExecutor(THREADS, thread_name_prefix="revocation") as pool,
    ):

        def failure(one: str) -> NproxyError | None:
            if one not in hashes:
                return unknown_token()
            if clock() > end:
                return Busy(NOT_REACHED)
            try:
                revoke(hashes[one])
            except NproxyError as error:
                return error
            return None

        outcomes = dict(zip(wanted, pool.map(failure, wanted), strict=True))
    left = {one: error for one, error in outcomes.items() if error is not None}
    return Revocation([one for one in wanted if one not in left], left)


def revoke_all(tokens: TokenStore, *, actor: Actor) -> Revocation:
    """Ends every token that is not revoked yet. Raises as `revoke_each`."""
    done = revoke_each(tokens, [found[:ID_LENGTH] for found in tokens.hashes()], actor=actor)
    return replace(done, left={one: error for one, error in done.left.items() if not isinstance(error, NotFound)})
