"""What each package manager needs to use a registry: its files, its commands, and why it needs them. Pure.

A test runs every line with the client that it is for, where that is installed. They differ because the clients do:

* pnpm (10, 11, 12) takes no variable from a project's ``.npmrc``, and yarn 4 does not read ``.npmrc`` at all.
* The key of a token ends with a slash before the colon. npm, bun, pnpm 11 and 12 forgive a missing one; pnpm 10, yarn 1
  and deno send no token then.
* yarn 1 and yarn 4 send the token for scoped packages only, unless one more line says otherwise.
* yarn 4 refuses plain http, loopback included.
* pnpm 11 and 12, yarn 4 and deno hold back versions that are less than a day old. For packages of your own that is no
  protection, so their scope is exempt; pnpm would otherwise take the lowest version without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

VARIABLE = "${NPROXY_TOKEN}"
"""What stands in a file in the place of the token: the client reads the variable, and the file can be in git."""


@dataclass(frozen=True, slots=True)
class SetupFile:
    """Lines of one file of a project; what else is in it stays."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """How one client is set up. *commands* are run once on each machine; they name the variable, not the token.

    If *publish* is None, the client cannot publish to an npm registry.
    """

    client: str
    files: tuple[SetupFile, ...]
    install: str
    publish: str | None
    commands: tuple[str, ...] = ()


def client_setups(url: str, scopes: Sequence[str], *, public_reads: bool = True) -> tuple[ClientSetup, ...]:
    """Returns the setup of each client for the registry at *url* with its internal *scopes*, of which it must have one.

    *public_reads* says whether the registry serves upstream packages without a token.
    """
    base = url.rstrip("/")
    package = f"{scopes[0]}/utils"
    npmrc = SetupFile(".npmrc", _npmrc(base))
    always = () if public_reads else ("always-auth=true",)
    return (
        ClientSetup("npm", (npmrc,), f"npm install {package}", "npm publish"),
        ClientSetup(
            "pnpm",
            (
                SetupFile(".npmrc", (f"registry={base}/",)),
                SetupFile(
                    "pnpm-workspace.yaml", ("minimumReleaseAgeExclude:", *(f'  - "{scope}/*"' for scope in scopes))
                ),
            ),
            f"pnpm add {package}",
            "pnpm publish",
            (f"pnpm config set '{_token_key(base)}' '{VARIABLE}'",),
        ),
        ClientSetup("yarn 1", (SetupFile(".npmrc", npmrc.lines + always),), f"yarn add {package}", "yarn publish"),
        ClientSetup(
            "yarn 4",
            (SetupFile(".yarnrc.yml", tuple(_yarnrc(base, scopes, public_reads=public_reads))),),
            f"yarn add {package}",
            "yarn npm publish",
        ),
        ClientSetup("bun", (npmrc,), f"bun add {package}", "bun publish"),
        ClientSetup("deno", (npmrc, SetupFile("deno.json", _deno(scopes))), f"deno add npm:{package}", None),
    )


def _npmrc(base: str) -> tuple[str, ...]:
    return (f"registry={base}/", f"{_token_key(base)}={VARIABLE}")


def _token_key(base: str) -> str:
    return f"{base.partition(':')[2]}/:_authToken"


def _yarnrc(base: str, scopes: Sequence[str], *, public_reads: bool) -> Iterator[str]:
    parsed = urlsplit(base)
    yield f'npmRegistryServer: "{base}"'
    yield f'npmAuthToken: "{VARIABLE}"'
    if not public_reads:
        yield "npmAlwaysAuth: true"
    yield "npmPreapprovedPackages:"
    yield from (f'  - "{scope}/*"' for scope in scopes)
    if parsed.scheme == "http":
        yield "unsafeHttpWhitelist:"
        yield f'  - "{parsed.hostname}"'


def _deno(scopes: Sequence[str]) -> tuple[str, ...]:
    document = {"minimumDependencyAge": {"exclude": [f"npm:{scope}/*" for scope in scopes]}}
    return (json.dumps(document),)
