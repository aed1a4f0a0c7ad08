"""nginx as a cache: ``proxy_cache`` with a lock. It rewrites no URL and checks nothing: a limit rather than a rival."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from benchmarks.errors import CannotRun
from benchmarks.plan import WORKERS
from benchmarks.servers.port import Ability, Running, Start, started
from benchmarks.system.ports import free_port

_CONFIGURATION = Template("""\
$user
daemon off;
worker_processes $workers;
pid $folder/pid;
error_log $folder/error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path $folder/bodies;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    proxy_temp_path $folder/temporary;
    proxy_cache_path $folder/cache levels=1:2 keys_zone=npm:50m max_size=10g inactive=1d use_temp_path=off;
    upstream registry { server $upstream; keepalive 32; }
    map $$http_accept $$form { default full; "~vnd.npm.install-v1" abbreviated; }
    map $$http_accept_encoding $$coding { default plain; "~gzip" gzip; }
    server {
        listen 127.0.0.1:$port backlog=1024;
        location = /-/ping { default_type application/json; return 200 "{}"; }
        location / {
            proxy_pass http://registry;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache npm;
            proxy_cache_key "$$request_uri $$form $$coding";
            proxy_ignore_headers Vary;
            proxy_cache_valid 200 5m;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 60s;
            proxy_cache_lock_age 60s;
            proxy_cache_revalidate on;
            proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
            proxy_read_timeout 60s;
        }
    }
}
""")


@dataclass(frozen=True, slots=True)
class Nginx:
    """nginx of this machine, with as many workers as ours has."""

    name: str = "nginx-cache"
    abilities: Ability = Ability.PROXY

    def prepare(self) -> str:
        """Returns its version.

        Raises:
            CannotRun: it is not installed.
        """
        done = subprocess.run([_program(), "-v"], capture_output=True, text=True, check=False, timeout=30)
        found = re.search(r"nginx/([\d.]+)", done.stderr)
        return f"nginx {found[1] if found else '(unknown version)'}"

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Runs it with an empty cache."""
        port = free_port()
        configuration = _CONFIGURATION.substitute(
            # As root, the workers would change to a user who may not enter the folder.
            user="user root;" if os.geteuid() == 0 else "",
            workers=WORKERS,
            folder=folder,
            upstream=urlsplit(upstream).netloc,
            port=port,
        )
        (folder / "nginx.conf").write_text(configuration)
        command = [_program(), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        with started(Start(command, port), folder) as (url, pid, ready):
            yield Running(self.name, url, pid, ready, self.abilities)


def _program() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise CannotRun("nginx is not installed: apt-get install nginx-light, or leave it out.")
    return found
