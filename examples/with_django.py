"""A registry under /npm of a Django project: ``gunicorn examples.with_django:application``.

In a project of your own, the last two statements go into its ``wsgi.py``.
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from nproxy_mw import Mount, registry


def index(request: HttpRequest) -> HttpResponse:
    """The host's own page: requests outside /npm never meet the registry."""
    return HttpResponse("Our packages are under /npm/.")


urlpatterns = [path("", index)]

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=os.urandom(32).hex())

packages = registry(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    internal_scopes=["@acme"],
    upstream=os.environ.get("NPROXY_UPSTREAM"),
)
application = Mount(get_wsgi_application(), "/npm", packages)
