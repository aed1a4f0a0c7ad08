"""Sphinx's settings: the documentation is Markdown, the reference comes from docstrings."""

from nproxy_mw import __version__

project = "nproxy_mw"
author = "The nproxy_mw developers"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Private npm packages and the public registry behind one URL",
    "fixed_sidebar": True,
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "code"
myst_heading_anchors = 3
