"""Builds the page from figures, charts, runs and notes with `templates/page.html`.

What does not belong here: queries (`queries/`), and how a chart is drawn (`charts`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

import jinja2

from pipelines.report.amounts import NOT_KNOWN, Number, Unit, money
from pipelines.report.charts import Chart, bars, line, shares
from pipelines.report.figures import Row
from pipelines.run_records.summary import Run
from pipelines.text.humanize import age, duration, form, plural
from schemas.own_tables.imports import OUTCOMES
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED, PUSHED

_LISTS_DRAWN = 10
_IN_MONEY = "revenue"
_REVENUE = {
    "event": "Revenue",
    "change": "Revenue, by when a pull saw contacts' totals change",
    "imported": "Imported revenue, by when it was earned",
}
_CONTACTS = Unit("contacts")


@dataclass(frozen=True, slots=True)
class Shown:
    """Facts about the page itself.

    Attributes:
        now: when the figures were read.
        currency: of amounts; None if the settings do not name it.
        ledger_lost: whether history was pushed that the ledger does not have.
    """

    now: datetime
    currency: str | None = None
    ledger_lost: bool = False

    @property
    def money(self) -> Unit:
        """What amounts are in."""
        return money(self.currency)


def page(
    found: Mapping[str, Sequence[Row]],
    runs: Sequence[Run],
    last: Mapping[str, RunRecord],
    notes: Sequence[str],
    shown: Shown,
) -> str:
    """Return the page as HTML, which loads nothing.

    Args:
        found: the rows of each query, by its name.
        runs: the latest runs, newest first.
        last: the newest record of each activity, by activity.
        notes: sentences on what needs attention.
        shown: when the figures were read, and the currency.
    """
    template = _environment(shown.money).get_template("page.html")
    return template.render(
        found=found,
        totals=found["totals"][0],
        since=found["imported_since"][0],
        charts=_charts(found, shown.money),
        pulled={row["dataset"] for row in found["datasets"] if row["direction"] == "pull" and row["as_of"]},
        is_pushed=bool(found["outcomes"] or found["totals"][0]["imported"]),
        earned=_by_worth(found["earned"]),
        unit=shown.money.name,
        currency=shown.currency,
        ledger_lost=shown.ledger_lost,
        in_unit=f" ({shown.currency})" if shown.currency else "",
        of_unit=f" {shown.currency}" if shown.currency else "",
        outcomes=_by_outcome(found["outcomes"]),
        every_outcome=OUTCOMES,
        runs=runs,
        last=last,
        notes=[*notes, *_of_campaigns(found["findings"])],
        now=shown.now,
    )


@cache
def _environment(unit: Unit) -> jinja2.Environment:
    """Return the templates with the unit of amounts; cached, since compiling them takes longer than filling them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda number: NOT_KNOWN if number is None else f"{number:,}",
        "money": unit.shown,
        "money_each": unit.shown_each,
        "share": lambda share: NOT_KNOWN if share is None else f"{share:.1%}",
        "time": _time,
        "age": age,
        "plural": plural,
        "form": form,
        "duration": duration,
        "words": lambda name: name.replace("_", " "),
    }
    return environment


def _of_campaigns(findings: Sequence[Row]) -> list[str]:
    """Return notes for the errors in the table of campaigns, which `status` does not show."""
    errors = sum(row["findings"] for row in findings if row["severity"] == "error")
    return [f"{plural(errors, 'error')} in creatives and schedules: trackly-sync lint"] if errors else []


def _charts(found: Mapping[str, Sequence[Row]], unit: Unit) -> dict[str, list[Chart]]:
    """Return the charts by part of the page."""
    return {
        "rows": list(_rows(found["rows_over_time"])),
        "revenue": _revenue(found["revenue"], unit, events=found["totals"][0]["events"]),
        "lists": [*_lists(found["lists"]), *_growth(found["growth"])],
        "outcomes": _outcomes(found["outcomes"]),
        "progress": _progress(found["progress"], unit),
    }


def _rows(rows: Sequence[Row]) -> list[Chart]:
    points: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for row in rows:
        points[row["dataset"]].append((row["pulled_at"], row["rows"]))
    # counts that never changed are only in the table
    changed = [name for name in PULLED if len({number for _, number in points[name]}) > 1]
    return [line(f"Rows of {name}", Unit("rows"), points[name]) for name in changed]


def _revenue(rows: Sequence[Row], unit: Unit, *, events: bool) -> list[Chart]:
    """Return charts of revenue by day, and by month if useful; the account's events include imported revenue."""
    drawn = []
    for basis in ("event",) if events else ("change", "imported"):
        for grain, least in (("day", 1), ("month", 3)):
            chosen = [row for row in rows if (row["basis"], row["grain"]) == (basis, grain)]
            if len(chosen) >= least:
                drawn.append(_revenue_of(f"{_REVENUE[basis]}, by {grain}", unit, chosen))
    return drawn


def _revenue_of(name: str, unit: Unit, rows: Sequence[Row]) -> Chart:
    periods = [row["period"] for row in rows]
    numbers = {
        "earned": [row["revenue"] for row in rows],
        "gone with contacts that left": [row["gone"] for row in rows],
        "back with contacts that returned": [row["back"] for row in rows],
    }
    return bars(name, unit, rows[0]["grain"], periods, numbers)


def _lists(rows: Sequence[Row]) -> list[Chart]:
    largest = [row for row in rows if row["contacts"]][:_LISTS_DRAWN]
    if not largest:
        return []
    names = [row["list_name"] or f"list {row['list_id']}" for row in largest]
    return [
        shares(
            "Contacts on the largest lists",
            _CONTACTS,
            names,
            {
                "reachable": [row["reachable"] for row in largest],
                "active, number not valid": [row["active"] - row["reachable"] for row in largest],
                "not active": [row["contacts"] - row["active"] for row in largest],
            },
        )
    ]


def _growth(rows: Sequence[Row]) -> list[Chart]:
    if not rows:
        return []
    grain = rows[0]["grain"]
    numbers = {
        "joined": [int(row["signups"]) for row in rows],
        "gone": [-int(row["removed"]) for row in rows],
    }
    return [
        bars(
            f"Contacts that joined and went, by {grain}",
            _CONTACTS,
            grain,
            [row["period"] for row in rows],
            numbers,
        )
    ]


def _by_outcome(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    counts = {name: dict.fromkeys(OUTCOMES, 0) for name in PUSHED}
    for row in rows:
        counts[row["dataset"]][row["outcome"]] = row["rows"]
    return {name: by_outcome for name, by_outcome in counts.items() if any(by_outcome.values())}


def _outcomes(rows: Sequence[Row]) -> list[Chart]:
    counts = _by_outcome(rows)
    if not counts:
        return []
    numbers = {
        _title(outcome): [by_outcome[outcome] for by_outcome in counts.values()] for outcome in OUTCOMES
    }
    return [
        shares(
            "Outcomes of the current history input", Unit("share of rows"), list(counts), numbers, whole=True
        )
    ]


def _by_worth(rows: Sequence[Row]) -> list[Row]:
    """Return the outcomes of revenue in the current input, in their order."""
    return sorted(rows, key=lambda row: list(OUTCOMES).index(row["outcome"]))


def _progress(rows: Sequence[Row], unit: Unit) -> list[Chart]:
    """Return charts of the same periods below each other: numbers of sends and clicks, amounts of revenue."""
    if not rows:
        return []
    grain, periods = rows[0]["grain"], sorted({row["period"] for row in rows})
    drawn = []
    for name in PUSHED:
        counts = _figures_of(name, rows)
        if counts:
            numbers = {
                _title(outcome): [counts.get((period, outcome), 0) for period in periods]
                for outcome in OUTCOMES
            }
            own_unit = unit if name == _IN_MONEY else Unit(name)
            title = f"{name.capitalize()} of the current input, by {grain} of the event"
            drawn.append(bars(title, own_unit, grain, periods, numbers))
    return drawn


def _figures_of(name: str, rows: Sequence[Row]) -> dict[tuple[date, str], Number]:
    own = [row for row in rows if row["dataset"] == name]
    if name == _IN_MONEY:
        return {(row["period"], row["outcome"]): row["revenue"] or 0 for row in own}
    return {(row["period"], row["outcome"]): int(row["rows"]) for row in own}


def _title(outcome: str) -> str:
    return outcome.replace("_", " ")


def _time(at: str | datetime | None) -> str:
    if at is None:
        return NOT_KNOWN
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).strftime("%Y-%m-%d %H:%M")
