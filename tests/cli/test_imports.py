"""What a command imports, counted in modules: a start-up time is mostly made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nproxy_mw.cli.late_dashboard import DASHBOARD, check_installed
from nproxy_mw.middleware.dashboard import BASE

SCRIPT = """
import sys
from nproxy_mw.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
HTTP = ("urllib3", "http.client", "ssl", "werkzeug", "gunicorn", "granian")
PAGES = ("jinja2", "markdown_it", "nh3", "nproxy_mw.middleware.dashboard")
CRYPTOGRAPHY = ("argon2", "cryptography", "nacl")
OF_S3 = ("fsspec", "asyncio", "s3fs", "botocore")
STORE = ("nproxy_mw.orgs", "nproxy_mw.storage", "nproxy_mw.stack", "nproxy_mw.rules.shipped", "sqlite3")


def modules_of(*arguments: str) -> set[str]:
    """The modules that are there when ``nproxy-mw`` was called with *arguments*."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=120)
    return set(done.stderr.splitlines()[-1].split())


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


def test_server_imports_no_pages_and_nothing_of_s3_before_it_listens() -> None:
    """Pages when one is asked for, fsspec for storages of other kinds."""
    script = "import nproxy_mw.cli.serving, nproxy_mw.cli.server, nproxy_mw.cli.worker, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stdout.split())
    assert "nproxy_mw.hosting" in loaded
    assert not loaded.intersection((*PAGES, *OF_S3))


def test_pages_are_where_the_server_expects_them() -> None:
    """At the path of the dashboard, and with all libraries that the extra brings."""
    check_installed()
    assert DASHBOARD == BASE
