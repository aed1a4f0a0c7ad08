"""What ``nproxy-mw serve`` says when it is ready; on a new store, also the first steps, ready to be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nproxy_mw.cli.options import DEFAULT_ORG, DEFAULT_STORAGE


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


def welcome(url: str, served: Served, scopes: Sequence[str]) -> str:
    """The whole greeting."""
    if scopes:
        own = f"{', '.join(f'{scope}/*' for scope in scopes)} from {served.storage}."
    else:
        own = "No scope is internal yet, so nothing is kept here: start with --scope @acme."
    lines = [f"nproxy-mw is ready at {url}/ (Ctrl-C stops it).", own, served.remark]
    if served.is_new and scopes:
        lines += ["", *_first_steps(url, served, scopes[0])]
    return "\n".join(lines)


def _first_steps(url: str, served: Served, scope: str) -> list[str]:
    where = url.partition(":")[2]
    options = "".join(
        f" --{option} {value}"
        for option, value, default in (
            ("storage", served.storage, DEFAULT_STORAGE),
            ("org", served.org, DEFAULT_ORG),
        )
        if value != default
    )
    return [
        "This store is new. Put these two lines into the .npmrc of your project:",
        "",
        f"    registry={url}/",
        f"    {where}/:_authToken=${{NPROXY_TOKEN}}",
        "",
        "and run, in another terminal:",
        "",
        f"    export NPROXY_TOKEN=$(nproxy-mw token create --scope proxy --scope publish{options})",
        f"    npm publish                     # in a package named {scope}/...",
        f"    npm install {scope}/utils       # in any other",
    ]
