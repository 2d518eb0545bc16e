"""An account that three pushes went to, with what was left of ledger and warehouse after each."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beginnings import Beginning
from histories import active_offer, sends_to, write_rows

from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports
from pipelines.push.run import plan
from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
BOTH = ("sends", "revenue")
FIRST, SECOND, CUT_OFF, LAST = 4, 7, 9, 10
"""How many sales the files have at each push. After the third nothing is published, as if it had been killed."""
PULLED = "deleted, then pulled"


@dataclass(frozen=True)
class Pushed:
    """An account that three pushes went to, and what was left of each.

    Attributes:
        account: as it is served.
        settings: for it.
        state: after the third push.
        backups: by push, a ledger and a warehouse.
    """

    account: Account
    settings: Settings
    state: Beginning
    backups: Path

    def restore(self, ledger: str, warehouse: str) -> None:
        """Bring everything back, but for a ledger and a warehouse, which are put in the state of that name."""
        shutil.rmtree(self.settings.data_dir)
        self.state.restore(self.account, self.settings)
        write_sales(self.settings, self.account, LAST)
        for name, wanted in (("ledger.db", ledger), ("warehouse.duckdb", warehouse)):
            path = self.settings.data_dir / name
            if wanted != "present":
                path.unlink()
            if (backup := self.backups / wanted / name).exists():
                shutil.copy(backup, path)
        if warehouse == PULLED:
            publish_missing_imports(self.settings)

    @property
    def sales(self) -> list[float]:
        """What the account has, by its own record."""
        return sorted(row["revenue"] for row in self.account.revenue)


def keep(settings: Settings, folder: Path, *names: str) -> None:
    """A backup of files of the data directory."""
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(settings.data_dir / name, folder / name)


def write_sales(settings: Settings, account: Account, number: int) -> None:
    sends = sends_to(account.contacts()[:3], LAST)
    rows = [
        {
            "record_id": f"r{n}",
            "message_id": sends[n]["id"],
            "offer_id": active_offer(account),
            "revenue": n + 0.5,
        }
        for n in range(number)
    ]
    write_rows(settings.history / "revenue.ndjson", rows)


def sales(number: int) -> list[float]:
    return [n + 0.5 for n in range(number)]


def to_send(settings: Settings, datasets: Sequence[str] = BOTH) -> int:
    """How many sales a push would send."""
    return plan(settings, datasets).plans["revenue"].intake.pending
