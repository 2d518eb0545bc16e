"""A page of the report as a reader gets it: written, and parsed."""

import re
from collections import Counter
from html.parser import HTMLParser

from pipelines.report.write import write_report
from pipelines.settings import Settings


class Page(HTMLParser):
    """What the tests look at: cells of tables by section, texts of charts by name, all that is referred to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.rows: dict[str, list[list[str]]] = {}
        self.charts: dict[str, list[str]] = {}
        self.tags: Counter[str] = Counter()
        self.references: list[str] = []
        self._section, self._chart, self._into = "", "", None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag == "section":
            self._section = given["id"] or ""
        elif tag == "tr":
            self.rows.setdefault(self._section, []).append([])
        elif tag in ("td", "th"):
            self._into = self.rows[self._section][-1]
            self._into.append("")
        elif tag == "svg":
            self._chart = given["aria-label"] or ""
        elif tag == "title" and self._chart:
            self._into = self.charts.setdefault(self._chart, [])
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "title"):
            self._into = None
        elif tag == "svg":
            self._chart = ""

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] = f"{self._into[-1]} {data}".strip()

    def drawn(self, chart: str, what: str) -> float:
        """The sum of a series, by the texts at its bars."""
        output = (re.search(rf": ([\d,.-]+) {what}$", text) for text in self.charts[chart])
        return sum(float(found[1].replace(",", "")) for found in output if found)


def report(settings: Settings, *notes: str) -> Page:
    path = settings.data_dir / "elsewhere" / "page.html"
    size = write_report(settings, path, notes)
    assert size == path.stat().st_size
    return Page(path.read_text(encoding="utf-8"))
