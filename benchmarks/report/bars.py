"""Bar charts as SVG, with the same figures as text. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

_WIDTH, _LABEL, _NUMBER, _BAR, _GAP, _TOP = 760, 200, 90, 14, 12, 48  # pixels
_SPAN = _WIDTH - _LABEL - _NUMBER
_OWN, _OTHER = "#2b62a8", "#9aa3ad"
_LOGARITHMIC = 50
"""From this ratio between the largest and the smallest value on, the scale is logarithmic: else bars would vanish."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its value, and the value as text; *is_own* makes it stand out."""

    label: str
    value: float
    text: str
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars under one heading."""

    heading: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class _Scale:
    """How long bars are: *pixels* is called with a value."""

    name: str
    pixels: Callable[[float], float]


def draw(title: str, groups: Sequence[Bars]) -> str:
    """Returns a chart of horizontal bars.

    The SVG carries its own text alternative: *title*, and every value as a sentence.
    """
    values = [bar.value for group in groups for bar in group.bars if bar.value > 0]
    scale = _scale(values)
    height, parts = _TOP, []
    for group in groups:
        parts += list(_group(group, height, scale))
        height += (len(group.bars) + 1) * (_BAR + 4) + _GAP
    return "\n".join([*_head(title, scale.name, describe(groups), height), *parts, "</svg>", ""])


def describe(groups: Sequence[Bars]) -> str:
    """Returns all values in words."""
    return " ".join(
        f"{group.heading}: {', '.join(f'{bar.label} {bar.text}' for bar in group.bars)}." for group in groups
    )


def _scale(values: Sequence[float]) -> _Scale:
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high / low < _LOGARITHMIC:
        return _Scale("linear scale", partial(_linear, high))
    # The power of ten below the smallest value, so that even its bar can be seen.
    return _Scale("logarithmic scale", partial(_logarithmic, math.ceil(math.log10(low)) - 1, math.log10(high)))


def _linear(high: float, value: float) -> float:
    return value / high * _SPAN


def _logarithmic(start: float, end: float, value: float) -> float:
    return (math.log10(value) - start) / (end - start) * _SPAN if value > 0 else 0.0


def _head(title: str, scale: str, description: str, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" '
        f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="#1c1f23">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="description">{escape(description)}</desc>'
    yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    yield _text(12, 20, title, 'font-size="15" font-weight="bold"')
    yield _text(12, 36, scale, 'fill="#555555"')


def _group(group: Bars, top: int, scale: _Scale) -> Iterator[str]:
    yield _text(12, top + _BAR, group.heading, 'font-weight="bold"')
    for number, bar in enumerate(group.bars, start=1):
        y = top + number * (_BAR + 4)
        length = max(1.0, scale.pixels(bar.value))
        yield _text(_LABEL - 8, y + _BAR - 3, bar.label, 'text-anchor="end"')
        color = _OWN if bar.is_own else _OTHER
        yield f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{color}"/>'
        yield _text(round(_LABEL + length) + 6, y + _BAR - 3, bar.text, "")


def _text(x: int, y: int, text: str, attributes: str) -> str:
    return f'<text x="{x}" y="{y}" {attributes}>{escape(text)}</text>'
