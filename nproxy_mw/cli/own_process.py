"""Something is tried in a process of its own, so that its connections end with it."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.terminal import about_storage
from nproxy_mw.errors import NproxyError, StorageUnavailable


def try_apart(attempt: Callable[[], None], url: str) -> None:
    """Calls *attempt*, which uses the storage at *url*, in a process of its own.

    Raises:
        UsageError: it failed; the message is that of the error.
    """
    receiver, sender = Pipe(duplex=False)
    process = get_context("fork").Process(target=_report, args=(attempt, url, sender))
    process.start()
    sender.close()
    try:
        failure = receiver.recv()
    except EOFError as error:
        raise UsageError("The storage could not be tried: the lines above say why.") from error
    finally:
        process.join()
    if failure:
        raise UsageError(failure)


def _report(attempt: Callable[[], None], url: str, sender: Connection) -> None:
    try:
        attempt()
        sender.send("")
    except StorageUnavailable as error:
        sender.send(f"{error} {about_storage(url, error)}")
    except (UsageError, NproxyError) as error:
        sender.send(str(error))
    except KeyboardInterrupt:
        sender.send("Interrupted.")
