"""The walk of a revenue row in docs/architecture.md, traced: each function that the page names, once and in order."""

from itertools import groupby

import pytest
from profiled import Steps, profiled, steps_below

from pipelines.push.ledger.status import outcomes
from pipelines.push.run import push
from pipelines.settings import Settings

NAMED = steps_below("A revenue row")
OF_SOME_COLUMNS = ("pipelines/push/values/formats.py", "typed")


@pytest.mark.usefixtures("many_sends")
def test_a_revenue_row_goes_the_way_of_the_page(settings: Settings, offer: str) -> None:
    """From the file to `accepted` and into the warehouse; its time is in a form that is not typed at once."""
    row = f"message_id,offer_id,revenue,timestamp\nm000000,{offer},5.00,20260602T100000Z\n"
    (settings.history / "revenue.csv").write_text(row)
    steps = Steps(NAMED)
    profiled(steps, lambda: push(settings, ["revenue"]))
    assert outcomes(settings)["revenue"].accepted == 1

    runs = [(called, len(list(calls))) for called, calls in groupby(steps.entered)]
    assert [called for called, _ in runs] == NAMED
    assert {called for called, calls in runs if calls > 1} == {OF_SOME_COLUMNS}
    assert len(NAMED) > 24  # the table was found
