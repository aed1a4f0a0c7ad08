"""A browser without scripts: it keeps cookies as they are set for a path, reads forms out of pages and sends them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

from support.client import HOST, run
from support.hosting import PASSWORD, PlatformFixture

HOME = "/-/dashboard"
SAME_ORIGIN = {"HTTP_SEC_FETCH_SITE": "same-origin"}
_VOID = {"input", "br", "hr", "img", "meta", "link"}


@dataclass
class FormFound:
    """A form of a page, with what a browser would send of it when nothing was typed."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.forms: list[FormFound] = []
        self.text: list[str] = []
        self._form: FormFound | None = None
        self._select: tuple[str, bool] | None = None
        self._option: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag == "form":
            self._form = FormFound(attributes.get("action", ""), attributes.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "input" and name and (attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes):
            self._form.fields.append((name, value))
        if tag == "select":
            self._select = (name, False)
        if tag == "option" and self._select is not None:
            select, has_one = self._select
            chosen = value if "value" in attributes else None
            if chosen is None:
                self._option = "selected" if "selected" in attributes else None
            elif "selected" in attributes or not has_one:
                self._form.fields = [pair for pair in self._form.fields if pair[0] != select] + [(select, chosen)]
                self._select = (select, True)
        if tag == "textarea":
            self._textarea = name
            self._form.fields.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "textarea":
            self._textarea = None
        if tag == "option":
            self._option = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._textarea is not None and self._form is not None:
            self._form.fields[-1] = (self._textarea, self._form.fields[-1][1] + data)
        if self._option is not None and self._form is not None and self._select is not None:
            self._form.fields.append((self._select[0], data))


@dataclass
class Seen:
    """One answer, as a browser shows it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    path: str

    def __post_init__(self) -> None:
        self._reader = _Reader()
        if "html" in self.headers.get("content-type", ""):
            self._reader.feed(self.body.decode())

    @property
    def text(self) -> str:
        """The text of the page, its white space collapsed."""
        return " ".join(" ".join(self._reader.text).split())

    @property
    def tags(self) -> list[tuple[str, dict[str, str]]]:
        """Every element, with its attributes."""
        return self._reader.tags

    @property
    def links(self) -> list[str]:
        """Where links go."""
        return [attributes["href"] for tag, attributes in self.tags if tag == "a" and "href" in attributes]

    def form(self, action: str = "") -> FormFound:
        """The POST form whose action ends in *action*; without one, the last."""
        found = [form for form in self._reader.forms if form.method == "post" and form.action.endswith(action)]
        found = [form for form in found if not action.startswith("/") or form.action] if action else found
        return [form for form in found if action or not form.action.endswith("/sign-out")][-1]


@dataclass
class Browser:
    """Asks *app* at *host*; *scheme* is what the server says of the connection."""

    app: Any
    host: str = HOST
    scheme: str = "http"
    cookies: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> (value, path)

    def get(self, path: str, **environ: Any) -> Seen:
        """Asks for a page, without following redirects."""
        return self.ask("GET", path, environ={"HTTP_SEC_FETCH_SITE": "none", **environ})

    def follow(self, path: str, **environ: Any) -> Seen:
        """Asks for a page, and goes where it is sent."""
        return self._followed(self.get(path, **environ))

    def submit(self, page: Seen, action: str = "", *, without: str = "", **fields: Any) -> Seen:
        """Sends a form of *page*, with *fields* in the place of what it shows, and goes where it is sent."""
        return self._followed(self.send(page, action, without=without, **fields))

    def send(
        self,
        page: Seen,
        action: str = "",
        *,
        without: str = "",
        formaction: str = "",
        environ: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Seen:
        """Sends a form as `submit` does, and stays at the answer. *formaction* is added to where the form goes."""
        form = page.form(action)
        typed = {name.replace("__", ".").rstrip("_"): value for name, value in fields.items()}
        pairs = [pair for pair in form.fields if pair[0] not in typed and pair[0] != without]
        for name, value in typed.items():
            pairs += [(name, one) for one in ([value] if isinstance(value, str) else value)]
        return self.post(
            (form.action or page.path) + formaction, urlencode(pairs).encode(), environ=environ or SAME_ORIGIN
        )

    def post(self, path: str, body: bytes, environ: Mapping[str, Any] = SAME_ORIGIN) -> Seen:
        """Sends a body as a form."""
        return self.ask("POST", path, body, environ={"CONTENT_TYPE": "application/x-www-form-urlencoded", **environ})

    def ask(self, method: str, path: str, body: bytes = b"", environ: Mapping[str, Any] | None = None) -> Seen:
        """One request."""
        url = urlsplit(path)
        asked = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.9",
            "HTTP_HOST": self.host,
            "HTTP_ACCEPT": "text/html,application/xhtml+xml",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if method == "POST":
            asked["CONTENT_LENGTH"] = str(len(body))
        sent = "; ".join(self._cookies_for(url.path))
        if sent:
            asked["HTTP_COOKIE"] = sent
        answer = run(self.app, {**asked, **(environ or {})})
        self._keep(answer.headers.get("set-cookie", ""))
        return Seen(answer.status, answer.headers, answer.body, url.path)

    def _cookies_for(self, path: str) -> Iterator[str]:
        for name, (value, scope) in self.cookies.items():
            if path == scope or path.startswith(scope.rstrip("/") + "/"):
                yield f"{name}={value}"

    def _keep(self, text: str) -> None:
        if not text:
            return
        pair, *attributes = [part.strip() for part in text.split(";")]
        name, _, value = pair.partition("=")
        path = next(part.partition("=")[2] for part in attributes if part.lower().startswith("path="))
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = (value, path)

    def _followed(self, seen: Seen) -> Seen:
        for _ in range(5):
            if seen.status not in (302, 303):
                return seen
            seen = self.get(seen.headers["location"])
        raise AssertionError(f"too many redirects, the last to {seen.path}")


def signed_in(tenants: PlatformFixture, name: str = "", **how: str) -> Browser:
    """A browser in which somebody signed in by the form: *name*, or the platform's administrator."""
    browser = Browser(tenants.app, **how)
    page = browser.follow(f"{HOME}/")
    browser.submit(page, "sign-in", name=name or tenants.administrator, password=PASSWORD)
    return browser
