"""A sale whose only call was lost, once for all tests of the folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from beginnings import Beginning, beginning, seeded
from histories import active_offer, sends_to, write_rows
from lost_ledgers import rows_of

from pipelines.push.run import push
from pipelines.sandbox import Account, Fault, running
from pipelines.settings import Settings

BOTH = ("sends", "revenue")


@pytest.fixture(scope="session")
def one_in_doubt(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Beginning:
    """An account of 120 contacts without revenue, and one sale that never arrived there: r0, of m000000."""

    def make(folder: Path) -> Account:
        account = seeded(120)
        account.revenue.clear()
        sends = sends_to(account.contacts(), 1)
        with running(account) as server:
            settings = settings_of(server.url, folder / "data", settle_seconds=600.0)
            write_rows(settings.history / "sends.ndjson", sends)
            sales = rows_of(sends, active_offer(account), 0, 1)
            write_rows(settings.history / "revenue.ndjson", sales)
            server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
            assert push(settings, BOTH, wait=False).outcomes["revenue"].in_doubt == 1
        assert not account.revenue
        return account

    return beginning(tmp_path_factory, "one-in-doubt", make)
