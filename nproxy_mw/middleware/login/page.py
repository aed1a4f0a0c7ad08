"""The page on which an administrator grants what npm login asks for: plain HTML, no scripts, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from html import escape
from string import Template

from nproxy_mw.access import Grant
from nproxy_mw.accounts.pending_logins import PendingLogin
from nproxy_mw.http.messages import Headers

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}"
    "label{display:block;margin:.75rem 0}input:not([type=checkbox]){display:block;width:100%;padding:.4rem;"
    "box-sizing:border-box;font:inherit}button{font:inherit;padding:.4rem 1rem}"
    "dt{font-weight:bold}dd{margin:0;overflow-wrap:anywhere}[role=alert]{border-left:.3rem solid;padding-left:.7rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'"

HEADERS: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", f"{_POLICY}; base-uri 'none'"),
    ("X-Frame-Options", "DENY"),
    # Not no-referrer: with that, browsers hide the Origin of the form, which is checked.
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)

_PAGE = Template(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>$title</title>'
    '<meta name="viewport" content="width=device-width"><style>' + _STYLE + "</style></head>\n"
    "<body><h1>$title</h1>\n$body</body></html>\n"
)
_FORM = Template(
    "$alert<p>Somebody ran <code>npm login</code> for the registry of <strong>$org</strong> and waits for a token. "
    "Go on only if that was you, just now.</p>\n"
    "<dl><dt>When</dt><dd>$when</dd><dt>From</dt><dd>$ip</dd><dt>With</dt><dd>$agent</dd></dl>\n"
    '<form method="post"><input type="hidden" name="form" value="$form">\n'
    '<label>Name <input name="name" value="$name" autocomplete="username" required></label>\n'
    '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>\n'
    "<fieldset><legend>The token may</legend>\n"
    '<label><input type="checkbox" name="scope" value="proxy"$proxy> install packages (proxy)</label>\n'
    '<label><input type="checkbox" name="scope" value="publish"$publish> publish and unpublish packages (publish)'
    "</label></fieldset>\n<p><button>Give npm the token</button></p></form>\n"
)


def form_page(
    waiting: PendingLogin,
    org: str,
    form: str,
    *,
    alert: str = "",
    name: str = "",
    grants: Collection[str] = (Grant.PROXY,),
) -> bytes:
    """Returns the page with the form.

    *form* is the hidden value that its POST must repeat; *alert* says what went wrong.
    """
    body = _FORM.substitute(
        alert=f'<p role="alert">{escape(alert)}</p>\n' if alert else "",
        org=escape(org),
        when=escape(waiting.created_at),
        ip=escape(waiting.ip or "an unknown address"),
        agent=escape(waiting.user_agent or "an unknown program"),
        form=escape(form),
        name=escape(name),
        proxy=" checked" if Grant.PROXY in grants else "",
        publish=" checked" if Grant.PUBLISH in grants else "",
    )
    return _PAGE.substitute(title="npm login", body=body).encode("utf-8", "replace")


def plain_page(title: str, sentence: str) -> bytes:
    """Returns a page with one sentence."""
    return _PAGE.substitute(title=escape(title), body=f"<p>{escape(sentence)}</p>\n").encode("utf-8", "replace")
