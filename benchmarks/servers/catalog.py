"""All servers that can be compared, in the order of the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import CannotRun
from benchmarks.servers.bare import Bare
from benchmarks.servers.direct import Direct
from benchmarks.servers.nginx import Nginx
from benchmarks.servers.ours import Ours
from benchmarks.servers.peer import parse_peer
from benchmarks.servers.port import Server
from benchmarks.servers.template import Template
from benchmarks.servers.verdaccio import Verdaccio

REFERENCE = "verdaccio"
"""The server with which all others are compared."""

SERVERS = ("gunicorn", "granian")
"""The WSGI servers under which ours runs."""

FLOORS = {f"nproxy-mw-{server}": f"bare-{server}" for server in SERVERS}
"""For each of ours, the server whose cost is the least that it can have."""


def all_servers(work: Path, peers: Sequence[str] = ()) -> list[Server]:
    """Returns them. They install and store below *work*; *peers* are texts that `parse_peer` takes.

    Raises:
        CannotRun: a peer is not described rightly, or has the name of another server.
    """
    servers: list[Server] = [Direct(), Verdaccio(work), Nginx()]
    servers += [parse_peer(text) for text in peers]
    servers += [Bare(server) for server in SERVERS]
    template = Template(work / "template")
    servers += [Ours(server, template) for server in SERVERS]
    names = [server.name for server in servers]
    if len(names) != len(set(names)):
        raise CannotRun("Two servers have the same name: give the peer another one.")
    return servers


def chosen(servers: Sequence[Server], names: Sequence[str]) -> list[Server]:
    """Returns the servers with these names; all if there are no names.

    Raises:
        CannotRun: a name is not that of a server.
    """
    unknown = set(names) - {server.name for server in servers}
    if unknown:
        raise CannotRun(f"There is no server {', '.join(sorted(unknown))}: python -m benchmarks list shows them.")
    return [server for server in servers if not names or server.name in names]
