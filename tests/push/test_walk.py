"""The walk of a revenue row in docs/architecture.md, traced: each function that the page names, once and in order."""

import re
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from profiled import Begun, profiled

from pipelines.push.ledger.status import outcomes
from pipelines.push.run import push
from pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = re.findall(
    r"`(pipelines/[\w/]+\.py)::([\w.]+)`",
    PAGE.partition("## A revenue row")[2].partition("A push of one row")[0],
)
"""The functions of the table, by file and name."""

OF_SOME_COLUMNS = ("pipelines/push/values/formats.py", "typed")


class Tracer:
    """Notes each call of a function that the page names."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, str]] = []
        self._named = frozenset(NAMED)
        self._begun = Begun()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        called = (frame.f_code.co_filename.removeprefix(f"{ROOT}/"), frame.f_code.co_qualname)
        if event == "call" and called in self._named and self._begun(frame):
            self.entered.append(called)


@pytest.mark.usefixtures("many_sends")
def test_a_revenue_row_goes_the_way_of_the_page(settings: Settings, offer: str) -> None:
    """From the file to `accepted` and into the warehouse; its time is in a form that is not typed at once."""
    row = f"message_id,offer_id,revenue,timestamp\nm000000,{offer},5.00,20260602T100000Z\n"
    (settings.history / "revenue.csv").write_text(row)
    tracer = Tracer()
    profiled(tracer, lambda: push(settings, ["revenue"]))
    assert outcomes(settings)["revenue"].accepted == 1

    runs = [(called, len(list(calls))) for called, calls in groupby(tracer.entered)]
    assert [called for called, _ in runs] == NAMED
    assert {called for called, calls in runs if calls > 1} == {OF_SOME_COLUMNS}
    assert len(NAMED) > 24  # the table was found
