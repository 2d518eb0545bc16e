"""Charts as SVG in the page, drawn with pygal: no script and no own style; the page sets the colours.

pygal marks the parts of a chart with classes; `page.css` says how those look in light, in dark and on paper. Series
are numbered, so that a colour is tied to a series by its place. What does not belong here: where figures come from.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pygal
from pygal.etree import etree
from pygal.style import Style

from pipelines.report.amounts import Number, Unit

_WIDTH = 460
_FONT = 17
"""Largest font size in `page.css`, on a phone; labels have room for it everywhere."""

_SMALL, _SMALL_FONT = 280, 13
"""Small drawings have the same size on every screen."""

_LETTER = 0.62
"""Largest average width of a letter, as a part of its height."""

_APART = 8
"""Distance between labels."""

_MARK = 5
"""How long the mark between a bar and its label is."""

_CENTRED = 7
"""Most bars for which the last label fits centred below its bar; with more bars, the label ends there."""

_SIZES = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_LARGEST = 0.9995e15
"""From this number on there is no sign for the size."""

_ROUNDS_UP = 0.9995
"""From this share of a size on, three digits would be 1e+03 of the size below."""

_NAME = 18
"""Letters that fit in the name of a bar."""

_WIDE = "MWmw@%"
"""Wide letters, in addition to those of East Asia."""

MOST_PERIODS = {"day": 63, "month": 36}
"""Most bars by period; the latest periods are shown."""

_SHORT = 3 * 86_400
"""Seconds below which an axis of time needs the hour."""

_NOTHING = "nothing"
"""Marks a bar without length, which is taken out again: a page of years would have thousands."""


def _short(number: Number) -> str:
    """Return a number in a short form for an axis."""
    figure = float(number)
    if abs(figure) >= _LARGEST:
        return f"{figure:.2g}".replace("e+", "e")
    for sign, size in _SIZES:
        if abs(figure) >= size * _ROUNDS_UP:
            return f"{figure / size:.3g}{sign}"
    return f"{figure:.3g}"


def _cut(name: str) -> str:
    """Return a name cut to the space at the side of a chart; East Asian letters count twice."""
    if len(name) + _wide(name) <= _NAME:
        return name
    return next(name[:end] for end in range(_NAME, -1, -1) if end + _wide(name[:end]) < _NAME) + "…"


def _wide(name: str) -> int:
    """Return how many letters of a text are about twice as wide as others."""
    return sum(letter in _WIDE or unicodedata.east_asian_width(letter) in "FW" for letter in name)


_MARGIN_RIGHT = 14

_COMMON = {
    "disable_xml_declaration": True,
    "show_legend": False,  # the page has it, where it can wrap
    "margin": 4,
    "margin_right": _MARGIN_RIGHT,
    "spacing": 8,
    "truncate_label": -1,  # names are cut by `_cut`
    "value_formatter": _short,
}


def _style(font: int) -> Style:
    return Style(label_font_size=font, major_label_font_size=font, font_family="sans-serif")


_STEPS = 4
"""Into how many steps an axis of figures is divided, at the least half and at the most one more."""

_WIDEST = 6
"""Largest part of the drawing for one bar, since a single bar would fill it."""


def _ticks(lowest: float, highest: float, *, counts: bool) -> list[float]:
    """Return round figures for an axis, including zero, from about the lowest to above the highest.

    Args:
        lowest: the smallest figure, at most zero.
        highest: the largest one, at least zero.
        counts: whether figures are counts, so that ticks are whole numbers.
    """
    least = (highest - lowest) / _STEPS or 1
    size = 10.0 ** math.floor(math.log10(least))
    step = next(size * by for by in (1, 2, 5, 10) if size * by >= least * (1 - 1e-9))
    step = max(step, 1) if counts else step
    # a little below zero has room without a step of its own
    first, last = math.floor(lowest / step + 0.1), math.ceil(highest / step - 1e-9)
    return [step * place for place in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the meaning of its colours.

    Attributes:
        name: what it shows.
        svg: the drawing; every text in it is escaped.
        unit: in which unit its figures are.
        series: the number, for the colour, and the title of each series that has any figure but zero.
    """

    name: str
    svg: str
    unit: str
    series: Sequence[tuple[int, str]]


class _Bars(pygal.StackedBar):  # type: ignore[misc] # pygal has no types
    """Bars of at most a part of the drawing's width, each in the middle of its place."""

    @property
    def _series_margin(self) -> float:
        return float(max(0.06, (1 - self._len / _WIDEST) / 2))


def line(name: str, unit: Unit, points: Sequence[tuple[datetime, Number]]) -> Chart:
    """A figure over time, from zero.

    Args:
        name: what it shows.
        unit: in which unit.
        points: instants and figures, in order; at least one.
    """
    begin, end = points[0][0], points[-1][0]
    highest = _ticks(0, float(max(number for _, number in points)), counts=not unit.decimals)
    form = "%d %b" if (end - begin).total_seconds() > _SHORT else "%d %b %H:%M"
    chart = pygal.XY(  # its DateTimeLine uses what Python 3.12 deprecates
        **_COMMON,
        width=_SMALL,
        style=_style(_SMALL_FONT),
        height=140,
        dots_size=2.5,
        range=(0, highest[-1]),
        x_value_formatter=lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime(form),
    )
    chart.y_labels = highest
    chart.x_labels = sorted({begin.timestamp(), end.timestamp()})
    chart.add(
        name,
        [
            {
                "value": (at.timestamp(), float(n)),
                "formatter": _shown_as(f"{at:%d %b %Y %H:%M}: {unit.shown(n)}"),
            }
            for at, n in points
        ],
    )
    chart.add_xml_filter(partial(_inside, ("first", "last")))
    return Chart(name, _drawn(name, chart), unit.name, [(0, name)])


def bars(
    name: str, unit: Unit, grain: str, periods: Sequence[date], series: Mapping[str, Sequence[Number]]
) -> Chart:
    """Figures by day or month, stacked.

    Args:
        name: what it shows.
        unit: in which unit.
        grain: day or month.
        periods: the days, or the first days of the months.
        series: figures of each period, by what they are.
    """
    labels = [period.strftime("%b %Y" if grain == "month" else "%d %b %Y") for period in periods]
    chart = _Bars(**_COMMON, width=_WIDTH, style=_style(_FONT), height=220, show_minor_x_labels=False)
    chart.x_labels = labels
    is_centred = len(labels) <= _CENTRED
    # counted from the end: the last bar has a label
    chart.x_labels_major = labels[:: -_step(labels, is_centred=is_centred)]
    if not is_centred:
        chart.add_xml_filter(partial(_inside, ("last",), shift=_MARGIN_RIGHT))
    chart.add_xml_filter(_marked)
    drawn = _stacked(name, chart, unit, labels, series)
    most = MOST_PERIODS[grain]
    return replace(drawn, unit=f"{unit.name}; the last {most} {grain}s") if len(labels) >= most else drawn


def _step(labels: Sequence[str], *, is_centred: bool) -> int:
    """Return the step between shown labels of periods, so that labels do not overlap."""
    letter = _LETTER * _FONT
    wide = len(labels[-1]) * letter
    # the figures at the side are of up to four letters
    each = (_WIDTH - 4 * letter - 2 * _MARGIN_RIGHT) / len(labels)
    least = (wide + _APART) / each
    # a last label that ends at its bar reaches further to the left than one in the middle below it
    return math.ceil(least if is_centred else max(least, (1.5 * wide + _APART - _MARGIN_RIGHT) / each - 0.5))


def shares(
    name: str,
    unit: Unit,
    places: Sequence[str],
    series: Mapping[str, Sequence[Number]],
    *,
    whole: bool = False,
) -> Chart:
    """Figures by name, stacked from left to right.

    Args:
        name: what it shows.
        unit: in which unit.
        places: what stands at the bars, the first at the top.
        series: figures of each place, by what they are.
        whole: draw each bar over the full width, so that it shows shares.
    """
    upwards = [_cut(place) for place in places[::-1]]
    # pygal leaves room for letters of the usual width
    more = max(_wide(place) for place in upwards) * _FONT * 0.4
    chart = pygal.HorizontalStackedBar(
        **_COMMON,
        width=_WIDTH,
        style=_style(_FONT),
        height=48 + 28 * len(places),
        margin_left=4 + math.ceil(more),
    )
    if whole:
        chart.config.range, chart.value_formatter = (0, 1), lambda share: f"{share:.0%}"
    chart.x_labels = upwards
    backwards = {title: numbers[::-1] for title, numbers in series.items()}
    return _stacked(name, chart, unit, upwards, backwards, whole=whole)


def _stacked(
    name: str,
    chart: Any,
    unit: Unit,
    places: Sequence[str],
    series: Mapping[str, Sequence[Number]],
    *,
    whole: bool = False,
) -> Chart:
    chart.y_labels = [0, 0.25, 0.5, 0.75, 1] if whole else _ticks(*_bounds(series), counts=not unit.decimals)
    sums = [float(sum(numbers)) or 1 if whole else 1 for numbers in zip(*series.values(), strict=True)]
    for title, numbers in series.items():
        bars = zip(places, numbers, sums, strict=True)
        chart.add(
            title,
            [_bar(f"{place}: {unit.shown(number)} {title}", number, total) for place, number, total in bars],
        )
    seen = [(place, title) for place, (title, numbers) in enumerate(series.items()) if any(numbers)]
    return Chart(name, _drawn(name, chart), unit.name, seen)


def _bounds(series: Mapping[str, Sequence[Number]]) -> tuple[float, float]:
    """Return how far bars reach below and above zero."""
    places = [[float(number) for number in numbers] for numbers in zip(*series.values(), strict=True)]
    below = [sum(number for number in numbers if number < 0) for numbers in places]
    above = [sum(number for number in numbers if number > 0) for numbers in places]
    return min(below), max(above)


def _bar(text: str, number: Number, total: float) -> dict[str, Any]:
    return {"value": float(number) / total, "formatter": _shown_as(text if number else _NOTHING)}


def _shown_as(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _drawn(name: str, chart: Any) -> str:
    chart.add_xml_filter(partial(_bare, name))
    return str(chart.render())


def _inside(ends: Sequence[str], root: Any, shift: float = 0) -> Any:
    """Keep labels at the ends of an axis inside the drawing, away from the next drawing.

    Args:
        ends: first, last, or both.
        root: the drawing.
        shift: how far right of its place the last label ends, in the drawing's units.
    """
    for axis in root.iter():
        if axis.get("class") == "axis x":
            texts = [node for node in axis.iter() if node.tag == "text"]
            for end in ends[: len(texts)]:
                texts[0 if end == "first" else -1].set("class", end)
            texts[-1].set("x", f"{float(texts[-1].get('x')) + shift:.1f}")
    return root


def _marked(root: Any) -> Any:
    """A mark from the bar to its label, which is wider than many bars and would seem to be that of another one."""
    for guide in root.iter():
        at, _, height = guide.get("d", "").partition(" v")
        if guide.get("class") == "major guide line" and height:
            guide.set("class", "mark")
            guide.set("d", f"{at.partition(' ')[0]} {height} v{_MARK}")
    return root


def _bare(name: str, root: Any) -> Any:
    """Remove pygal's parts for scripts from a drawing, and turn values into titles that a browser shows."""
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", name)
    for parent in list(root.iter()):
        value = None
        for child in list(parent):
            value = child.text if child.get("class") == "value" else value
            if _is_for_scripts(child):
                parent.remove(child)
        if value == _NOTHING:
            parent.clear()
        elif value:
            etree.SubElement(parent, "title").text = value
    return root


def _is_for_scripts(node: Any) -> bool:
    """Whether a node is only for scripts.

    This includes titles of the drawing, and of labels at bars, which hold positions.
    """
    return node.tag in ("defs", "desc", "title", etree.Comment) or "tooltip-overlay" in node.get("class", "")
