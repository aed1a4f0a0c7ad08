"""gunicorn's worker with threads, changed so that a slow or silent client costs it a connection and nothing else.

*Strategy:* in gunicorn's own worker a thread waits for the rest of a request and for the client to take its response,
so as many slow clients as there are threads stop it. Here the thread that accepts connections, the poller, also reads
requests and sends responses. The other threads get whole requests, and never wait for a client:

    poller   accept -> read the head -> read the body (in memory, then in a temporary file) -> hand over
    thread                                                               run the application -> send what fits
    poller                                                               send the rest -> next request

A connection belongs either to the poller or to one other thread, never to both, so it needs no lock.

One kind of request gets a thread before its body has come: a large one, so that the application can refuse it unread.
At most a quarter of the threads serve such requests (`Bounds.direct_share`). While they are busy, a large body is
stored first, like a small one.
"""

from nproxy_mw.cli.worker.worker import Worker

__all__ = ["Worker"]
