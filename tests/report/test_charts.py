"""Labels of charts: they fit where they are drawn, whatever the figures and names, and do not run into each other."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from pipelines.report.amounts import Unit
from pipelines.report.charts import _FONT, _SMALL_FONT, MOST_PERIODS, Chart, _short, bars, line, shares

_LETTER = 0.62
"""How wide a letter is, of its height; those of East Asia are as wide as the font is high."""

WEEK = timedelta(days=7)
DAY = date(2025, 12, 1)


def _width(text: str, font: float) -> float:
    return sum(font if ord(letter) > 0x2E80 or letter in "MW@" else _LETTER * font for letter in text)


def _labels(chart: Chart, axis: str, font: float = _FONT) -> list[tuple[float, float, str]]:
    """Where labels begin and end, from left to right, in the units of the drawing."""
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 - our own drawing
    offset = next(
        float(node.get("transform", "").removeprefix("translate(").partition(",")[0])
        for node in root.iter()
        if node.get("class") == "plot"
    )
    found = []
    for group in root.iter():
        if not group.get("class", "").startswith(f"axis {axis}"):
            continue
        for node in group.iter():
            if node.tag.endswith("text") and node.text:
                at, wide = offset + float(node.get("x", "0")), _width(node.text, font)
                anchor = node.get("class") if node.get("class") in ("first", "last") else axis
                begin = {"first": at, "last": at - wide, "x": at - wide / 2, "y": at - wide}[anchor]
                found.append((begin, begin + wide, node.text))
    return sorted(found)


def _bars_at(chart: Chart) -> list[tuple[float, float]]:
    """Where bars begin and end."""
    found = re.findall(r'<rect x="([\d.]+)"[^>]* width="([\d.]+)"[^>]*class="rect', chart.svg)
    return [(float(at), float(at) + float(wide)) for at, wide in found]


def _marks(chart: Chart) -> list[float]:
    """Where labels have their marks."""
    return [float(at) for at in re.findall(r'<path d="M([\d.]+) [\d.]+ v5" class="mark"', chart.svg)]


def _periods(grain: str, count: int) -> list[date]:
    if grain == "day":
        return [DAY + timedelta(days=place) for place in range(count)]
    return [date(2021 + place // 12, place % 12 + 1, 1) for place in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 36, 63])
@pytest.mark.parametrize("grain", ["day", "month"])
def test_periods_do_not_collide(count: int, grain: str) -> None:
    """A page is as wide as a phone or a column of paper; drawings scale, so their own units decide."""
    most = MOST_PERIODS[grain]
    count = min(count, most)
    chart = bars("Sends", Unit("messages"), grain, _periods(grain, count), {"accepted": [123_456.0] * count})
    assert chart.unit == (f"messages; the last {most} {grain}s" if count >= most else "messages")
    labels = _labels(chart, "x")
    assert labels
    assert labels[0][0] >= 0
    assert labels[-1][1] <= 460 + 14
    for (_, end, _), (begin, _, text) in pairwise(labels):
        assert end < begin, text
    form = "%d %b %Y" if grain == "day" else "%b %Y"
    assert labels[-1][2] == _periods(grain, count)[-1].strftime(form)
    centres = [sum(bar) / 2 for bar in _bars_at(chart)]
    of_labels = [
        centres[place] for place, at in enumerate(_periods(grain, count)) if f">{at:{form}}<" in chart.svg
    ]
    assert _marks(chart) == pytest.approx(of_labels, abs=0.1), "each label has a mark at its bar"


@pytest.mark.parametrize(
    ("joined", "gone", "unit", "grid"),
    [
        ([1], [0], Unit("contacts"), ["0", "1"]),
        ([3_290, 10], [0, 0], Unit("contacts"), ["0", "1k", "2k", "3k", "4k"]),
        ([3_290.0, 10.0], [0, -5.0], Unit("EUR", 2), ["0", "1k", "2k", "3k", "4k"]),
        ([112, 8], [-9, 0], Unit("contacts"), ["-50", "0", "50", "100", "150"]),
        ([0.4], [0], Unit("EUR", 2), ["0", "0.1", "0.2", "0.3", "0.4"]),
        ([0], [-40], Unit("contacts"), ["-40", "-30", "-20", "-10", "0"]),
    ],
)
def test_the_grid_reaches_beyond_the_bars(
    joined: list[float], gone: list[float], unit: Unit, grid: list[str]
) -> None:
    """Round figures with a zero, none between two contacts; and one bar alone does not fill the drawing."""
    chart = bars("Contacts", unit, "day", _periods("day", len(joined)), {"joined": joined, "gone": gone})
    labels = [text for _, _, text in _labels(chart, "y")]
    assert sorted(labels, key=lambda text: float(text.replace("k", "000"))) == grid
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 - our own drawing
    wide = [float(node.get("width", "0")) for node in root.iter() if "rect" in node.get("class", "").split()]
    assert 0 < max(wide) < 460 / 5


@pytest.mark.parametrize("gap", [timedelta(minutes=5), WEEK])
def test_the_ends_of_a_line_stay_inside(gap: timedelta) -> None:
    """Drawings stand side by side: a label beyond the edge would run into the next one."""
    points = [(datetime(2025, 12, 1, tzinfo=UTC) + gap * place, 10_000_000) for place in range(5)]
    labels = _labels(line("Rows", Unit("rows"), points), "x", _SMALL_FONT)
    assert labels[0][0] >= 0
    assert labels[1][1] <= 280
    assert labels[0][1] < labels[1][0]


@pytest.mark.parametrize("name", ["A", "Customers of the spring sale, west", "\u6625" * 40, "W" * 300])
def test_names_are_cut_to_the_room_that_they_have(name: str) -> None:
    """However long a list's name, and whatever its letters."""
    labels = _labels(shares("Lists", Unit("contacts"), [name, "B"], {"reachable": [5, 1_000_000]}), "y")
    assert min(begin for begin, _, _ in labels) >= -_FONT


@pytest.mark.parametrize(
    ("figure", "shown"), [(999.6, "1k"), (999_960, "1M"), (2_500_000_000, "2.5G"), (0, "0")]
)
def test_figures_at_an_axis_are_short(figure: float, shown: str) -> None:
    """No 1e+03k: three digits and a letter."""
    assert _short(figure) == shown


def test_a_number_without_a_sign_of_its_size_is_short_all_the_same() -> None:
    assert [_short(number) for number in (2.5e21, -1e16)] == ["2.5e21", "-1e16"]
