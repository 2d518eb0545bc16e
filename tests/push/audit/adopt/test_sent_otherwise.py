"""Sends and clicks that were corrected after their ledger was lost: what is published is what the account has."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beginnings import Beginning, beginning, seeded
from histories import active_offer, clicks_of, sends_to, write_rows
from oracle import query

from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.ledger.status import differing
from pipelines.push.run import push
from pipelines.push.send import queries
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, running
from pipelines.settings import Settings

Row = dict[str, Any]
BOTH = ("sends", "clicks")
FIRST, LATER = "2024-05-01T11:00:00Z", "2025-01-09T08:00:00Z"


def corrected(rows: list[Row], change: Row) -> list[Row]:
    """The same rows, of which all but the last say something else."""
    return [*({**row, **change} for row in rows[:-1]), rows[-1]]


def push_all(settings: Settings, *rows: list[Row]) -> None:
    for name, some in zip(BOTH, rows, strict=True):
        write_rows(settings.history / f"{name}.ndjson", some)
    push(settings, BOTH)


def history_of(account: Account) -> tuple[list[Row], list[Row]]:
    sends = sends_to(account.contacts(), 4)
    return sends, clicks_of(sends, active_offer(account), FIRST)


@pytest.fixture(scope="module")
def pushed_twice(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Beginning:
    """The last send and its click were pushed, whose ledger is there as before.db, and then all."""

    def make(folder: Path) -> Account:
        account = seeded(60)
        account.revenue.clear()
        sends, clicks = history_of(account)
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            push_all(settings, sends[3:], clicks[3:])
            shutil.copy(settings.data_dir / "ledger.db", settings.data_dir / "before.db")
            push_all(settings, sends, clicks)
        return account

    return beginning(tmp_path_factory, "sends-and-clicks-pushed-twice", make)


@pytest.mark.parametrize(
    ("lost", "most_alone"),
    [
        ("ledger", 500),
        ("ledger and warehouse", 1),  # rows beyond the first go together: what came first counts
        ("latest calls", 500),  # an older ledger was put back
    ],
)
def test_what_was_corrected_since_is_published_as_the_account_has_it(
    settings_of: Callable[..., Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pushed_twice: Beginning,
    lost: str,
    most_alone: int,
) -> None:
    """All but one are corrected; a send whose first call had not arrived is in the account as it was corrected."""
    monkeypatch.setattr(queries, "_MOST_ALONE", most_alone)
    account = seeded(60)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", settle_seconds=0.0)
        pushed_twice.restore(account, settings)
        sends, clicks = history_of(account)
        other = next(
            row["phone_number"] for row in account.lists if row["phone_number"] != sends[0]["list_number"]
        )
        ledger = settings.data_dir / "ledger.db"
        ledger.unlink()
        if lost == "latest calls":
            shutil.copy(settings.data_dir / "before.db", ledger)
        elif lost != "ledger":
            settings.warehouse.unlink()
        adopt(settings)
        if most_alone > 1:
            del account.sends[sends[1]["id"]]  # its call had never arrived
        push_all(settings, corrected(sends, {"list_number": other}), corrected(clicks, {"timestamp": LATER}))

        def kept(name: str) -> list[tuple[Any, ...]]:
            rows, column = (
                (account.sends, "list_number") if name == "sends" else (account.clicks, "timestamp")
            )
            return [(one["id"], rows[one["id"]][column]) for one in sends]

        columns = {"sends": "list_number", "clicks": "strftime(happened_at, '%Y-%m-%dT%H:%M:%SZ')"}
        new = {"sends": other, "clicks": LATER}
        for name, column in columns.items():
            given = [(who, value, value != new[name] and who != sends[-1]["id"]) for who, value in kept(name)]
            shown = (
                f"SELECT identity, {column}, differs FROM imports.records WHERE dataset = ? ORDER BY identity"
            )
            assert query(settings.warehouse, shown, name) == given
            assert differing(settings)[name] == sum(differs for _, _, differs in given) > 0
        (run, *_), _ = latest_runs(settings.data_dir, 1)
        assert run.differing == sum(differing(settings).values())
