"""Layers, put on top of each other, and named, so that a host can put its own between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Layer: TypeAlias = "Callable[[WSGIApplication], WSGIApplication]"
"""What `stack` puts together: a layer class, or a `functools.partial` of one that still wants its *app*."""


def stack(*layers: Layer, on: WSGIApplication) -> WSGIApplication:
    """Puts *layers* on the application *on*, the first outermost: top to bottom is the way of a request.

    Raises:
        TypeError: *on* is not an application, or one of *layers* is not a layer.
    """
    if not callable(on) or not all(map(callable, layers)):
        raise TypeError("stack takes layers, and the application below them: stack(*layers, on=app).")
    app = on
    for layer in reversed(layers):
        app = layer(app)
    return app


class Layers:
    """Layers by name, iterable in the order in which a request meets them.

    A host puts its own between them by name, never by position::

        layers(acme, transport).above("scope_router", quota=Quota)
    """

    def __init__(self, by_name: Mapping[str, Layer]) -> None:
        self.by_name = by_name

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.by_name.values())

    def above(self, name: str, /, **added: Layer) -> Layers:
        """Returns these with *added*, by name, right outside the layer *name*.

        Raises:
            ValueError: there is no layer *name*, or one of *added* has the name of another.
        """
        return self._with(name, 0, added)

    def below(self, name: str, /, **added: Layer) -> Layers:
        """Returns these with *added*, by name, right inside the layer *name*. Raises `ValueError` as `above`."""
        return self._with(name, 1, added)

    def replace(self, **others: Layer) -> Layers:
        """Returns these with *others* in the places of those names. Raises `ValueError` for an unknown name."""
        for name in others:
            self._check(name)
        return Layers({**self.by_name, **others})

    def without(self, name: str) -> Layers:
        """Returns these without the layer *name*. Raises `ValueError` if there is none."""
        self._check(name)
        return Layers({other: layer for other, layer in self.by_name.items() if other != name})

    def _with(self, name: str, offset: int, added: Mapping[str, Layer]) -> Layers:
        self._check(name)
        taken = sorted(added.keys() & self.by_name.keys())
        if taken:
            raise ValueError(f"There is a layer named {taken[0]} already: give the new one another name.")
        named = list(self.by_name.items())
        index = list(self.by_name).index(name) + offset
        return Layers(dict([*named[:index], *added.items(), *named[index:]]))

    def _check(self, name: str) -> None:
        if name not in self.by_name:
            raise ValueError(f"There is no layer named {name}: there are {', '.join(self.by_name)}.")
