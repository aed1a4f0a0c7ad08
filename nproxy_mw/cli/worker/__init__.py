"""gunicorn's worker with threads, changed so that a slow or silent client costs it nothing but a connection.

*Strategy:* in gunicorn's own worker a thread waits for the rest of a request and for the client to take its answer, so
as many slow clients as there are threads stop it. Here the loop that accepts connections also reads from them and sends
to them. A thread gets a request when the request is whole, and gives its answer away without waiting:

    poller   accept -> read the head -> read the body (memory, then a temporary file) -> hand over
    thread                                                                  run the application -> send what fits
    poller                                                                          send the rest -> next request

A connection belongs either to the poller or to one thread, never to both, so that neither needs a lock.

One kind of request gets a thread before its body is there: a large one, so that an application can refuse it unread.
A quarter of the threads may serve such requests (`bounds.Bounds.direct_share`); when they are taken, a large body is
stored first, like a small one.
"""

from nproxy_mw.cli.worker.worker import Worker

__all__ = ["Worker"]
