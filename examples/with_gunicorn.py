"""A registry alone, under gunicorn: ``gunicorn -w 2 --threads 8 examples.with_gunicorn:application``."""

import os

from nproxy_mw import registry

application = registry(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    internal_scopes=["@acme"],
    upstream=os.environ.get("NPROXY_UPSTREAM"),  # None: internal packages only
)
