"""The turns of a push: a stage is compared with the ledger once, when what it refers to has been sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipelines.errors import AccessError
from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]


@pytest.fixture
def account() -> Account:
    """A few people without revenue: the totals of all of them are read before each push of revenue."""
    found = seed_account(contacts=40)
    found.revenue.clear()
    return found


@pytest.fixture
def files(
    write: Callable[[str, list[Row]], Path], some_sends: Callable[[int], list[Row]], offer: str
) -> list[Path]:
    """Two sends, and one sale that two files have."""
    sale = {"message_id": "m000000", "offer_id": offer, "revenue": 2, "timestamp": "2024-05-02"}
    return [
        write("sends.ndjson", some_sends(2)),
        write("revenue-a.ndjson", [sale]),
        write("revenue-b.ndjson", [sale]),
    ]


def test_a_decision_holds_for_revenue_whose_sends_go_with_it(
    account: Account, settings: Settings, files: list[Path]
) -> None:
    """It was taken before anything was sent, and is about what can be sent by then."""
    decision = Decision(Choice.COUNT, "two sales")
    done = push(settings, ["sends", "revenue"], files, decision=decision)
    assert done.intakes["revenue"].decided == 1
    assert done.outcomes["revenue"] == Outcomes(2, accepted=2)
    assert [row["revenue"] for row in account.revenue] == [2, 2]


def test_what_had_no_turn_is_on_record(settings: Settings, files: list[Path]) -> None:
    """The key is refused while sends are sent: revenue is the current input all the same, and waits for its sends."""
    refused = settings.model_copy(update={"api_key": SecretStr("trk_" + "b" * 32)})
    with pytest.raises(AccessError):
        push(refused, ["sends", "revenue"], files)
    assert outcomes(settings) == {
        "sends": Outcomes(2, pending=2),
        "clicks": Outcomes(),
        "revenue": Outcomes(2, parked=2),
    }
