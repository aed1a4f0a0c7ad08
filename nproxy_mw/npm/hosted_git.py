"""Which repository of a git host a dependency's specifier means: npm rewrites these when it publishes.

``npm/cli``, ``github:npm/cli`` and ``https://github.com/npm/cli.git`` become ``github:npm/cli`` or
``git+https://github.com/npm/cli.git`` on the way from ``package.json`` to the manifest. Both sides are compared by what
they mean. The rules are those of npm's hosted-git-info; a path with more parts than a repository has is not rewritten
here, so a download from such a host stays itself.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_HOSTS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket",
    "gist.github.com": "gist",
    "git.sr.ht": "sourcehut",
}
_SHORTHAND = re.compile(r"(?![.@/])([^\s:@/#]+)/([^\s:@/#]+)(?:#(.*))?", re.DOTALL)
_SHORTCUT = re.compile(rf"({'|'.join(_HOSTS.values())}):(?!//)/?(?:[^@/#]*@)?([^#]+)(?:#(.*))?", re.DOTALL)
_URL = re.compile(
    r"(?:git|https?|ssh|git\+ssh|git\+https?)://(?:[^@/#]*@)?([^:/#@]+)(?::[0-9]*/|[:/])([^#?]+)(?:#(.*))?", re.DOTALL
)
_SCP = re.compile(r"[^@:/#]+@([^:/#@]+):([^#]+)(?:#(.*))?", re.DOTALL)


def meaning(specifier: str) -> str:
    """Returns the one spelling of a specifier that names a hosted repository; any other specifier unchanged."""
    if short := _SHORTHAND.fullmatch(specifier):
        return _spelling("github", f"{short[1]}/{short[2]}", short[3]) or specifier
    if shortcut := _SHORTCUT.fullmatch(specifier):
        return _spelling(shortcut[1], shortcut[2], shortcut[3]) or specifier
    url = _URL.fullmatch(specifier) or _SCP.fullmatch(specifier)
    host = _HOSTS.get(url[1].lower().removeprefix("www.")) if url else None
    return (_spelling(host, url[2], url[3]) if url and host else None) or specifier


def _spelling(host: str, path: str, committish: str | None) -> str | None:
    parts = path.strip("/").removesuffix(".git").split("/")
    if host == "github" and len(parts) == 4 and parts[2] == "tree":
        parts, committish = parts[:2], parts[3]
    if host == "gist":
        parts = parts[-1:] if len(parts) <= 2 else []
    if not all(parts) or (len(parts) < 2 if host == "gitlab" else len(parts) != (1 if host == "gist" else 2)):
        return None
    if host == "gitlab" and ("-" in parts or parts[-1] == "archive.tar.gz"):
        return None
    return f"{host}:{unquote('/'.join(parts))}#{unquote(committish or '')}"
