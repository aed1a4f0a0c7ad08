"""``nproxy-mw serve``: the registry under gunicorn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nproxy_mw.cli.addresses import check_public_url, check_upstream, parse_bind
from nproxy_mw.cli.options import add_option, add_store_options, scopes_of

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

MAX_FRESHNESS = 5  # seconds: settings and revoked tokens must hold on every host within this

_HELP = """\
Serves the registry until Ctrl-C.

  nproxy-mw serve --scope @acme                          @acme/* from ./nproxy-data, everything else from the
                                                         registry that your npm is configured with
  nproxy-mw serve --scope @acme --upstream none          internal packages only
  nproxy-mw serve --orgs path                            many organizations, each at /ITS-ID/
  nproxy-mw serve --scope @acme --storage /srv/npm --bind 0.0.0.0:4874 --public-url https://npm.acme.example --workers 4
"""


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_FRESHNESS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {MAX_FRESHNESS}")
    return seconds


def _count(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return number


# flag, default, metavar, parser, help
_OPTIONS: Sequence[tuple[str, str | None, str, Callable[[str], Any], str]] = (
    ("--bind", "127.0.0.1:4874", "HOST:PORT", str, "where to listen"),
    (
        "--orgs", None, "HOW", str,
        "whose registry it is: fixed:ID, host:DOMAIN (acme.DOMAIN) or path (/acme/) (default: fixed, by --org)",
    ),
    (
        "--upstream", None, "URL", str,
        "the registry for everything else, or 'none' (default: what npm config get registry says)",
    ),
    ("--public-url", None, "URL", str, "where clients reach this server, when a proxy stands before it"),
    (
        "--freshness", "1", "SECONDS", _seconds,
        "how late this host may see what another did on S3; 0 asks each time",
    ),
    (
        "--trusted-proxies", "0", "N", _count,
        "how many proxies stand before this server, whose X-Forwarded-* headers are believed",
    ),
    ("--workers", "2", "N", _positive, "processes"),
    ("--threads", "8", "N", _positive, "threads of each process"),
)  # fmt: skip


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="run the registry",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser)
    parser.add_argument(
        "--scope",
        action="append",
        metavar="@SCOPE",
        help="an npm scope whose packages are your own; repeat it for several [NPROXY_SCOPE]",
    )
    for flag, default, metavar, parse, text in _OPTIONS:
        add_option(parser, flag, default, metavar=metavar, type=parse, help=text)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Checks everything that can be wrong before the first worker starts, then serves."""
    # Imported here because gunicorn and argon2 are an extra: the other commands do without them.
    from nproxy_mw.cli.server import Server, ServerSettings, check_port
    from nproxy_mw.cli.tenancy import parse_orgs, prepare

    bind = parse_bind(parsed.bind)
    public_url = check_public_url(parsed.public_url)
    scopes = scopes_of(parsed)
    resolve = parse_orgs(parsed.orgs or f"fixed:{parsed.org}", public_url)
    upstream = check_upstream(parsed.upstream, bind, public_url)
    check_port(bind)
    is_new = prepare(parsed.storage, resolve, scopes)
    settings = ServerSettings(
        bind=bind,
        storage=parsed.storage,
        resolve=resolve,
        upstream=upstream.url,
        public_url=public_url,
        freshness=parsed.freshness,
        trusted_proxies=parsed.trusted_proxies,
        workers=parsed.workers,
        threads=parsed.threads,
        is_new=is_new,
        remark=upstream.remark,
    )
    Server(settings).run()
    return 0
