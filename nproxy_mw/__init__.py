"""Private npm packages beside the public registry, behind one URL: a stack of WSGI middlewares."""

__version__ = "0.1.0"
