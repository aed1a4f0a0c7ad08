"""What ``nproxy-mw serve`` says when it is ready; on a new store, also the first steps, ready to be copied."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.serving import Serving
from nproxy_mw.cli.terminal import say
from nproxy_mw.hosting.administration import administrators_of
from nproxy_mw.middleware.tenants import Resolve
from nproxy_mw.npm.client_setup import ClientSetup, client_setups
from nproxy_mw.orgs.organization import DEFAULT_ORG, Organization

_log = logging.getLogger(__name__)


def begin(serving: Serving, bind: Bind) -> threading.Thread:
    """Says that the registry is served at *bind*; and, in the thread that it returns, what its storage holds.

    Nothing here can stop the server: a storage that does not answer is a line in the log.
    """
    url = serving.options.public_url or f"http://{bind.reachable}"
    say(ready(url, bind), sys.stdout)
    thread = threading.Thread(target=_tell, args=(serving, url), name="greeting", daemon=True)
    thread.start()
    return thread


def _tell(serving: Serving, url: str) -> None:
    try:
        text = about_storage(serving, url)
    except Exception as error:  # whatever it is, the server serves on
        text = serving.upstream.remark
        _log.warning("What the storage holds could not be read for the greeting: %s", error)
    say(text, sys.stdout)


def about_storage(serving: Serving, url: str) -> str:
    """Returns what the storage of a server holds, and what to do next."""
    storage, remark, organizations = serving.options.storage, serving.upstream.remark, serving.organizations()
    if serving.resolve.fixed_org is not None:
        text = one_organization(url, organizations.open(serving.resolve.fixed_org), storage, remark)
    else:
        found = [one.id for one in organizations.directory.list()]
        text = many_organizations(url, serving.resolve, found, storage, remark)
    parts = [text]
    if not administrators_of(organizations.storage).list():
        parts.append(first_administrator(url, storage))
    return "\n".join(parts)


def ready(url: str, bind: Bind) -> str:
    """Returns where the registry is: what needs no look at the storage."""
    lines = [f"nproxy-mw is ready at {url}/ (Ctrl-C stops it)."]
    if bind.is_everywhere:
        lines.append(f"It listens on every address of this machine, port {bind.port}: other machines can reach it.")
    return "\n".join(lines)


def one_organization(url: str, organization: Organization, storage: str, remark: str) -> str:
    """Returns what a server of one organization keeps; on a new store, the first steps, too."""
    settings = organization.settings.get()
    scopes = settings.internal_scopes
    if not scopes:
        return f"No scope is internal yet, so nothing is kept here: start with --scope @acme.\n{remark}"
    lines = [f"{', '.join(f'{scope}/*' for scope in scopes)} from {place(storage)}.", remark]
    if organization.is_new():
        setups = client_setups(url, scopes, public_reads=settings.public_reads)
        lines += ["", *_first_steps(setups, storage, organization.id, scopes[0])]
    return "\n".join(lines)


def many_organizations(url: str, resolve: Resolve, found: Sequence[str], storage: str, remark: str) -> str:
    """Returns where each organization of a server of many is, and which are *found*."""
    lines = [f"Each organization is at {resolve.describe(url)}", remark]
    if found:
        some = ", ".join(found[:10]) + (" and others" if len(found) > 10 else "")
        return "\n".join([*lines, f"There is {some}."])
    return "\n".join([*lines, f"There is none yet: {program()} org create acme {_options(storage)}"])


def first_administrator(url: str, storage: str) -> str:
    """Returns how the first administrator is created."""
    return (
        f"\nNobody can sign in to {url}/api/v1 or use npm login yet. To create an administrator:\n\n"
        f"    {program()} admin create NAME {_options(storage)}"
    )


def place(storage: str) -> str:
    """Returns the storage as it can be named from any folder."""
    return storage if "://" in storage else str(Path(storage).resolve())


def program() -> str:
    """Returns how this program can be called from any folder: by its name when the shell would find it."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    is_found = found is not None and Path(found).resolve() == called.resolve()
    return called.name if is_found else shlex.quote(os.path.abspath(called))  # noqa: PTH100 - a link stays a link


def _first_steps(setups: Sequence[ClientSetup], storage: str, org: str, scope: str) -> Iterator[str]:
    options = _options(storage) + ("" if org == DEFAULT_ORG else f" --org {shlex.quote(org)}")
    npm = setups[0]
    width = len(npm.install)
    yield "This store is new. In the folder of your project, create a token:"
    yield f"\n    export NPROXY_TOKEN=$({program()} token create --scope proxy --scope publish {options})\n"
    yield "add these lines for the clients that you use:"
    yield from _lines(setups)
    yield f"\nand go on as you know it:\n\n    {(npm.publish or '').ljust(width)}    # in a package named {scope}/..."
    yield f"    {npm.install}    # in any other"


def _lines(setups: Sequence[ClientSetup]) -> Iterator[str]:
    """Yields the lines of each file under the names of all clients that need just these."""
    clients: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for setup in setups:
        for file in setup.files:
            clients.setdefault((f"in {file.name}", file.lines), []).append(setup.client)
        if setup.commands:
            clients[("once on each machine", setup.commands)] = [setup.client]
    for (where, lines), names in clients.items():
        yield f"\n  {', '.join(names)}, {where}:"
        yield from (f"    {line}" for line in lines)


def _options(storage: str) -> str:
    # The other terminal stands in another folder, and has none of our variables.
    return f"--storage {shlex.quote(place(storage))}"
