"""A registry under /npm of a Flask application: ``flask --app examples.with_flask run``."""

import os

from flask import Flask

from nproxy_mw import Mount, registry

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """The host's own page: requests outside /npm never meet the registry."""
    return "Our packages are under /npm/."


packages = registry(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    internal_scopes=["@acme"],
    upstream=os.environ.get("NPROXY_UPSTREAM"),
)
app.wsgi_app = Mount(app.wsgi_app, "/npm", packages)  # type: ignore[method-assign]
