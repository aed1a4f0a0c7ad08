"""What a command imports, counted in modules: a start-up time is mostly made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nproxy_mw.cli.late_dashboard import DASHBOARD, check_installed
from nproxy_mw.hosting import MANAGEMENT
from nproxy_mw.middleware import dashboard, management

SCRIPT = """
import sys
from nproxy_mw.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
SERVED = """
import sys
from nproxy_mw.cli import main, server, serving
import nproxy_mw.cli.worker
def run(self):
    self.serving.application()
    print(*sys.modules)
    print(*dict.fromkeys(
        thing.__qualname__
        for name, module in list(sys.modules.items()) if name.startswith("nproxy_mw.")
        for thing in list(vars(module).values()) if isinstance(thing, type) and "__dataclass_fields__" in vars(thing)
    ))
server.Server.run = run
sys.exit(main(sys.argv[1:]))
"""
MOST = 630
DATACLASSES = {"AdministratorRecord", "KeyRing", "PartRef", "Principal", "Settings", "UpstreamUrl", "Wanted"}
HTTP = ("urllib3", "http.client", "ssl", "werkzeug", "gunicorn", "granian")
PAGES = ("jinja2", "markdown_it", "nh3", "nproxy_mw.middleware.dashboard")
CRYPTOGRAPHY = ("argon2", "cryptography", "nacl")
OF_S3 = ("fsspec", "asyncio", "s3fs", "botocore")
OSV_API = "nproxy_mw.intelligence.osv_api"
LATE = ("werkzeug", "argon2", "cryptography", "cvss", "difflib", "multiprocessing", "nacl", OSV_API)
MANAGING = ("nproxy_mw.middleware.management", "nproxy_mw.upkeep", "tomllib")
STORE = ("nproxy_mw.orgs", "nproxy_mw.storage", "nproxy_mw.stack", "nproxy_mw.rules.shipped", "sqlite3")


def modules_of(*arguments: str) -> set[str]:
    """The modules that are there when ``nproxy-mw`` was called with *arguments*."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=120)
    return set(done.stderr.splitlines()[-1].split())


def served(folder: Path) -> tuple[set[str], set[str]]:
    """The modules and dataclasses that are there when ``nproxy-mw serve`` has made its application, as workers do."""
    store = ["--storage", str(folder / "store"), "--scope", "@acme", "--upstream", "http://127.0.0.1:9"]
    done = subprocess.run([sys.executable, "-c", SERVED, "serve", *store], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    modules, records = done.stdout.splitlines()
    return set(modules.split()), set(records.split())


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_what_is_about_the_program_imports_no_command(argument: str) -> None:
    """Nor anything that one needs."""
    loaded = modules_of(argument)
    assert not loaded.intersection((*HTTP, *PAGES, *CRYPTOGRAPHY, *OF_S3, *STORE))
    assert {name for name in loaded if name.count(".") == 2 and name.startswith("nproxy_mw.cli.")} <= {
        f"nproxy_mw.cli.{name}" for name in ("command", "config_file", "logs", "options", "terminal", "values")
    }


def test_command_about_tokens_imports_no_server_and_no_upstream(tmp_path: Path) -> None:
    """It reads a folder."""
    store = str(tmp_path / "store")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, "token", "create", "--scope", "proxy", "--storage", store],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=True,
    )  # fmt: skip
    loaded = modules_of("token", "list", "--storage", store)
    assert "nproxy_mw.orgs.tokens" in loaded
    assert not loaded.intersection((*HTTP, *PAGES, *OF_S3, "argon2", "nproxy_mw.stack"))


def test_server_imports_what_npm_needs_before_it_listens(tmp_path: Path) -> None:
    """Pages and the management API when they are asked for, repairs when it answers, fsspec for other storages.

    Ciphers when there are keys, CVSS when an advisory has only that, werkzeug when a header is unusual.
    """
    loaded, _ = served(tmp_path)
    assert {"nproxy_mw.hosting", "urllib3", "sqlite3", "nproxy_mw.middleware.internal_store"} <= loaded
    assert not loaded.intersection((*PAGES, *OF_S3, *MANAGING, *LATE))


def test_server_imports_few_modules_before_it_listens(tmp_path: Path) -> None:
    """Each costs a start a part of a millisecond. Raise the number knowingly."""
    loaded, _ = served(tmp_path)
    assert len(loaded) <= MOST


def test_few_records_of_a_server_are_dataclasses(tmp_path: Path) -> None:
    """One takes as long to define as some fifty structs; each of these needs what a struct has not (decision 99)."""
    _, records = served(tmp_path)
    assert records <= DATACLASSES


def test_late_layers_are_where_the_server_expects_them() -> None:
    """The dashboard with all libraries that the extra brings."""
    check_installed()
    assert (DASHBOARD, MANAGEMENT) == (dashboard.BASE, management.BASE)
