"""An account that three pushes went to, once for all tests of the folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from beginnings import beginning, seeded
from histories import sends_to, write_rows
from pushed_thrice import BOTH, CUT_OFF, FIRST, LAST, PULLED, SECOND, Pushed, keep, write_sales

from pipelines.pull.run import pull
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.run import intake, push, send
from pipelines.sandbox import Account, running
from pipelines.settings import Settings


@pytest.fixture(scope="session")  # each test restores what it needs
def pushed(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Iterator[Pushed]:
    """Three pushes; the third is not published."""

    def make(folder: Path) -> Account:
        account = seeded(60)
        account.revenue.clear()
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            pull(settings, ["lists"], "pulled")
            with open_ledger(settings):
                pass
            keep(settings, folder / "backups" / PULLED, "warehouse.duckdb")
            keep(settings, folder / "backups" / "empty", "ledger.db")
            write_rows(settings.history / "sends.ndjson", sends_to(account.contacts()[:3], LAST))
            for number, name in ((FIRST, "of the first push"), (SECOND, "of the second push")):
                write_sales(settings, account, number)
                push(settings, BOTH)
                keep(settings, folder / "backups" / name, "ledger.db", "warehouse.duckdb")
            write_sales(settings, account, CUT_OFF)
            intake(settings, BOTH)
            send(settings, BOTH)
        return account

    state = beginning(tmp_path_factory, "pushed-thrice", make)
    account = seeded(60)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path_factory.mktemp("pushed") / "data")
        settings.data_dir.mkdir()
        yield Pushed(account, settings, state, state.data_dir.parent / "backups")
