"""An account that three pushes went to, once for all tests of the folder that a process runs."""

from collections.abc import Callable, Iterator

import pytest
from beginnings import beginning, seeded
from histories import sends_to, write_rows
from pushed_thrice import BOTH, CUT_OFF, FIRST, LAST, PULLED, SECOND, Pushed, keep, write_sales

from pipelines.pull.run import pull
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.run import intake, push, send
from pipelines.sandbox import running
from pipelines.settings import Settings


@pytest.fixture(scope="session")  # each test restores what it needs
def pushed(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Iterator[Pushed]:
    """Three pushes; the third is not published."""
    folder, account = tmp_path_factory.mktemp("pushed"), seeded(60)
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
        account.log.clear()
        yield Pushed(account, settings, beginning(account, settings, folder / "state"), folder / "backups")
