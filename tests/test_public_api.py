"""The front door, held against what is behind it."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nproxy_mw
from nproxy_mw import testing

PACKAGE = Path(nproxy_mw.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "nproxy_mw."))


def test_front_door_is_small_and_sorted():
    """At most twenty names, in the order in which one looks for them."""
    assert len(nproxy_mw.__all__) <= 20
    assert list(nproxy_mw.__all__) == sorted(nproxy_mw.__all__)
    assert len(set(nproxy_mw.__all__)) == len(nproxy_mw.__all__)


@pytest.mark.parametrize("name", nproxy_mw.__all__)
def test_public_name_is_there_and_documented(name):
    """Each can be imported, and says in its docstring what it is."""
    thing = getattr(nproxy_mw, name)
    assert inspect.getdoc(thing)
    assert thing.__module__.startswith("nproxy_mw.")


def test_front_door_hides_nothing_it_imports():
    """What __init__ imports for others is in __all__; the rest are modules."""
    assert set(nproxy_mw.__all__) <= set(dir(nproxy_mw))
    for name in nproxy_mw.__all__:
        getattr(nproxy_mw, name)
    public = {
        name
        for name, thing in vars(nproxy_mw).items()
        if not name.startswith("_") and getattr(thing, "__module__", "").startswith("nproxy_mw")
    }
    assert public == set(nproxy_mw.__all__)


def test_every_layer_is_at_the_front_door():
    """The standard stack can be put together from public names alone."""
    layers = {"Authenticate", "ErrorResponses", "Forwarder", "InternalStore", "Mount", "NoUpstream", "ScopeRouter"}
    assert layers <= set(nproxy_mw.__all__)


def test_test_doubles_are_shipped():
    """What testing promises is there."""
    assert all(getattr(testing, name) for name in testing.__all__)


def test_every_module_begins_with_what_it_is():
    """A docstring whose first line is one sentence."""
    first_sentence = re.compile(r"\S[^\n]*(\n[^\n]+)?[.:]")
    assert len(MODULES) > 100
    assert [name for name in MODULES if not first_sentence.match(importlib.import_module(name).__doc__ or "")] == []


def public_callables(module):
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield f"{module.__name__}.{name}", thing


def test_public_things_are_documented():
    """Every function and class that is not private says what it does."""
    things = [each for name in MODULES for each in public_callables(importlib.import_module(name))]
    assert len(things) > 1000
    assert [name for name, thing in things if not thing.__doc__] == []


def test_importing_brings_neither_server_nor_back_ends():
    """A host that embeds the registry loads what the registry needs, and no extra."""
    heavy = ("gunicorn", "s3fs", "aiobotocore", "botocore", "argon2", "pytest", "jinja2")
    script = f"import nproxy_mw, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "imports",
    [
        "from nproxy_mw import stack",
        "import nproxy_mw.stack; from nproxy_mw import stack",
        "from nproxy_mw.stack import front_page; from nproxy_mw import stack",
    ],
)
def test_stack_is_the_function(imports):
    """Whether the module that has it was imported before, or not."""
    script = f"{imports}; import sys; assert stack is sys.modules['nproxy_mw.stack'].stack, stack"
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


def test_name_that_is_none_is_an_attribute_error():
    """So that hasattr and doctest can ask for any."""
    assert not hasattr(nproxy_mw, "nonsense")
    with pytest.raises(ImportError, match="nonsense"):
        importlib.import_module("nproxy_mw.nonsense")


def test_package_is_typed():
    """Type checkers look for the marker."""
    assert (PACKAGE / "py.typed").exists()


def test_nothing_is_logged_where_nobody_asked():
    """A library is silent until the host configures logging."""
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("nproxy_mw").handlers)
