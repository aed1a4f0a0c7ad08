"""gunicorn's settings for a registry. ``nproxy-mw serve`` uses them, and ``gunicorn`` itself takes them as a file:

    gunicorn --config python:nproxy_mw.cli.gunicorn_conf --bind 127.0.0.1:8000 example:application

With gunicorn's defaults, a publish that takes longer than 30 seconds is cut off, as many slow clients as there are
workers stop the server, and idle connections are closed before npm closes them. Command-line options override these
settings.
"""

from nproxy_mw.background import finish as _finish

worker_class = "nproxy_mw.cli.worker.Worker"
workers = 2
threads = 128  # idle ones cost next to nothing; three quarters of them may wait for the upstream
worker_connections = 2000  # per worker; fewer if the limit of open files is low
keepalive = 30  # seconds; longer than npm keeps an idle connection, so that it never writes to one just closed
graceful_timeout = 10  # seconds that requests have to finish in, after SIGTERM

# By default, gunicorn trusts the X-Forwarded-Proto, SCRIPT_NAME and PATH_INFO headers of clients on this machine.
forwarded_allow_ips = ""
forwarder_headers = ""

control_socket_disable = True  # it would be in HOME, which a service may not have


def worker_exit(arbiter: object, worker: object) -> None:
    """Writes what a worker that stops has not written yet: installs and decisions of the rules."""
    _finish()
