"""``nproxy-mw serve``: the registry under gunicorn."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import add_option, add_store_options, check_storage, organisation_of, scopes_of
from nproxy_mw.cli.places import check_public_url, check_upstream, parse_bind
from nproxy_mw.cli.token import ACTOR

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Serves the registry until Ctrl-C.

  nproxy-mw serve --scope @acme                          @acme/* from ./nproxy-data, everything else from the
                                                         registry that your npm is configured with
  nproxy-mw serve --scope @acme --upstream none          internal packages only
  nproxy-mw serve --scope @acme --storage /srv/npm --bind 0.0.0.0:4874 --public-url https://npm.acme.example --workers 4
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="run the registry",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_option(parser, "--bind", "127.0.0.1:4874", metavar="HOST:PORT", help="where to listen")
    add_store_options(parser)
    parser.add_argument(
        "--scope",
        action="append",
        metavar="@SCOPE",
        help="an npm scope whose packages are your own; repeat it for several [NPROXY_SCOPE]",
    )
    add_option(
        parser,
        "--upstream",
        metavar="URL",
        help="the registry for everything else, or 'none' (default: what npm config get registry says)",
    )
    add_option(
        parser, "--public-url", metavar="URL", help="where clients reach this server, when a proxy stands before it"
    )
    add_option(parser, "--workers", "2", type=_positive, metavar="N", help="processes")
    add_option(parser, "--threads", "8", type=_positive, metavar="N", help="threads of each process")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Checks everything that can be wrong before the first worker starts, then serves."""
    # Imported here because gunicorn is an extra: the other commands do without it.
    from nproxy_mw.cli.server import Server, ServerSettings, check_port

    bind = parse_bind(parsed.bind)
    public_url = check_public_url(parsed.public_url)
    scopes = scopes_of(parsed)
    upstream = check_upstream(parsed.upstream, bind, public_url)
    check_port(bind)
    organisation = organisation_of(parsed)
    check_storage(organisation)
    is_new = organisation.is_new()
    organisation.settings.ensure_scopes(scopes, actor=ACTOR)
    settings = ServerSettings(
        bind=bind,
        storage=parsed.storage,
        org=parsed.org,
        upstream=upstream.url,
        public_url=public_url,
        workers=parsed.workers,
        threads=parsed.threads,
        is_new=is_new,
        remark=upstream.remark,
    )
    Server(settings).run()
    return 0


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return number
