"""What ``nproxy-mw serve`` says when it is ready; on a new store, also the first steps, ready to be copied."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from nproxy_mw.cli.options import DEFAULT_ORG


class Served(Protocol):
    """What is told of a server."""

    @property
    def storage(self) -> str: ...
    @property
    def org(self) -> str: ...
    @property
    def remark(self) -> str: ...
    @property
    def is_new(self) -> bool: ...


def greeting(url: str, served: Served, scopes: Sequence[str]) -> str:
    """The whole greeting."""
    if scopes:
        own = f"{', '.join(f'{scope}/*' for scope in scopes)} from {place(served.storage)}."
    else:
        own = "No scope is internal yet, so nothing is kept here: start with --scope @acme."
    lines = [f"nproxy-mw is ready at {url}/ (Ctrl-C stops it).", own, served.remark]
    if served.is_new and scopes:
        lines += ["", *_first_steps(url, served, scopes[0])]
    return "\n".join(lines)


def _first_steps(url: str, served: Served, scope: str) -> list[str]:
    where = url.partition(":")[2]
    # The other terminal stands in another folder, and has none of our variables.
    options = f" --storage {shlex.quote(place(served.storage))}"
    if served.org != DEFAULT_ORG:
        options += f" --org {shlex.quote(served.org)}"
    install = f"npm install {scope}/utils"
    return [
        "This store is new. Put these two lines into the .npmrc of your project:",
        "",
        f"    registry={url}/",
        f"    {where}/:_authToken=${{NPROXY_TOKEN}}",
        "",
        "and run there:",
        "",
        f"    export NPROXY_TOKEN=$({program()} token create --scope proxy --scope publish{options})",
        f"    {'npm publish'.ljust(len(install))}    # in a package named {scope}/...",
        f"    {install}    # in any other",
    ]


def place(storage: str) -> str:
    """The storage as it can be named from any folder."""
    return storage if "://" in storage else str(Path(storage).resolve())


def program() -> str:
    """How this program can be called from any folder: by its name when the shell would find it."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    is_found = found is not None and Path(found).resolve() == called.resolve()
    return called.name if is_found else shlex.quote(os.path.abspath(called))  # noqa: PTH100 - a link stays a link
