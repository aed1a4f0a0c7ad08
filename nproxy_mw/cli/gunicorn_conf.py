"""gunicorn's settings for the registry: what ``nproxy-mw serve`` sets, and what ``gunicorn`` itself can be given.

    gunicorn --config python:nproxy_mw.cli.gunicorn_conf --bind 127.0.0.1:8000 example:application

gunicorn's own defaults stop a publish that takes longer than half a minute, let as many slow clients as there are
workers stop everything, and close kept connections before npm does. Options on the command line come before these.
"""

worker_class = "nproxy_mw.cli.worker.Worker"
workers = 2
threads = 8
worker_connections = 2000  # per worker; fewer when the limit of open files is low
keepalive = 30  # seconds; longer than npm keeps an idle connection, so that it never writes to one just closed
graceful_timeout = 10  # seconds that a request under way has to end in, after Ctrl-C or SIGTERM

# gunicorn would believe what clients on this machine say of themselves, and of where they want to go.
forwarded_allow_ips = ""
forwarder_headers = ""

control_socket_disable = True  # it would lie in HOME, which a service may not have
