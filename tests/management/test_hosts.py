"""The management API inside host applications, by their own logins."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from werkzeug.test import Client

from nproxy_mw.middleware.dashboard import HostLogin

EXAMPLES = Path(__file__).parents[2] / "examples"
ORGS = "/npm/api/v1/orgs"


def load(name):
    """An example, imported anew."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    """Each example gets a store of its own."""
    monkeypatch.setenv("NPROXY_STORAGE", str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("example_")]:
        del sys.modules[name]


def makes_an_organization(client):
    """Whoever is signed in makes one, and it is served; a page of another site cannot."""
    assert client.post(ORGS, json={"id": "acme"}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post(ORGS, json={"id": "acme"}).status_code == 201
    assert client.get("/npm/acme/-/ping").status_code == 200
    assert client.get("/npm/beta/-/ping").status_code == 404
    return client.get(f"{ORGS}/acme/audit").json["events"][0]


def changes_settings_by_a_page(client):
    """Whoever is signed in to the host sees pages, and only the form of their own page changes something."""
    path = "/npm/-/dashboard/orgs/acme/settings"
    page = client.get(path)
    assert page.status_code == 200
    token = re.search(r'name="form_token" value="(\w+)"', page.text)[1]
    revision = re.search(r'name="revision" value="(\w+)"', page.text)[1]
    form = {"revision": revision, "internalScopes": "@acme", "ledgerDays": "90", "auditWithoutAdvisories": "empty"}
    assert client.post(path, data=form).status_code == 403
    assert (
        client.post(path, data={**form, "form_token": token}, headers={"Origin": "http://evil.example"}).status_code
        == 403
    )
    assert client.post(path, data={**form, "form_token": token}).status_code == 303
    assert client.get("/npm/api/v1/orgs/acme/settings").json["internalScopes"] == ["@acme"]
    assert client.get("/npm/-/dashboard/people").status_code == 404
    assert client.get("/npm/-/dashboard/sign-in").status_code == 404
    assert client.get("/npm/", headers={"Accept": "text/html"}).headers["Location"].endswith("/npm/-/dashboard/")


def test_flask_brings_its_users():
    """The host's signed session tells who it is."""
    module = load("managed_by_flask")

    @module.app.post("/sign-in")
    def sign_in():
        module.session["user"] = "carl"
        return ""

    client = Client(module.app)
    assert client.get(ORGS).status_code == 401
    client.post("/sign-in")
    assert makes_an_organization(client)["by"] == "carl"
    changes_settings_by_a_page(client)


def test_the_host_signs_in_and_nobody_else():
    """A stranger is sent to the host's own page, with the way back; a cookie of ours opens nothing there."""
    client = Client(load("managed_by_flask").app)
    client.set_cookie("nproxy_session", "session_x", path="/npm/-/dashboard")
    answer = client.get("/npm/-/dashboard/orgs/acme/settings")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=/npm/-/dashboard/orgs/acme/settings"
    assert client.post("/npm/-/dashboard/sign-in", data={"name": "x", "password": "y"}).status_code in (403, 404)


def test_forms_want_a_secret_of_the_host():
    """A short one is refused when the application is built."""
    with pytest.raises(ValueError, match="at least 16 secret bytes"):
        HostLogin(lambda environ: None, form_key="short", sign_in_url="/")


def test_flask_login_brings_its_users(tmp_path):
    """The same with Flask-Login's current_user."""
    flask_login = pytest.importorskip("flask_login")
    module = load("managed_by_flask")
    manager = flask_login.LoginManager(module.app)

    class Person(flask_login.UserMixin):
        id = "dora"

    manager.user_loader(lambda name: Person() if name == "dora" else None)

    @module.app.post("/sign-in")
    def sign_in():
        flask_login.login_user(Person())
        return ""

    def user_of(environ):
        with module.app.request_context(environ):
            user = flask_login.current_user
            return module.User(user.get_id()) if user.is_authenticated else None

    packages = module.platform(str(tmp_path), resolve=module.ByPath(), users=user_of)
    client = Client(module.Mount(module.app.wsgi_app.app, "/npm", packages))
    assert client.get(ORGS).status_code == 401
    client.post("/sign-in")
    assert makes_an_organization(client)["by"] == "dora"


DJANGO = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from test_hosts import Client, changes_settings_by_a_page, load, makes_an_organization, ORGS
module = load("managed_by_django")
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY

def session_of(user):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session.session_key

client = Client(module.application)
assert client.get(ORGS).status_code == 401
client.set_cookie("sessionid", session_of(User.objects.create_user("fred", password="x")))
assert client.get(ORGS).status_code == 401
client.set_cookie("sessionid", session_of(User.objects.create_user("emma", password="x", is_staff=True)))
assert makes_an_organization(client)["by"] == "emma"
changes_settings_by_a_page(client)
"""


def test_django_brings_its_staff(tmp_path, monkeypatch):
    """Members of the staff manage; other users and strangers do not. In a process of its own: Django is set up once."""
    monkeypatch.setenv("DATABASE", str(tmp_path / "database"))
    here = Path(__file__).parent
    code = DJANGO.format(tests=str(here.parent), here=str(here))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
