"""The plan that `push --dry-run` shows: what a push would do now, without a trace on the ledger or the network.

What does not belong here: doing it (`run`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.push import contacts
from pipelines.push.chunks import chunks
from pipelines.push.intake import Intake, describe
from pipelines.push.ledger import Ledger
from pipelines.push.presence import hold_against, to_send
from pipelines.push.sources import Source
from pipelines.push.stage import Progress, building, opened
from pipelines.push.validate import validate
from pipelines.storage import storage_errors
from schemas.registry import PUSHED


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push of one dataset would do.

    Attributes:
        intake: what becomes of each row, sends that are ready counted as if they were accepted.
        chunks: requests it would take, if none has to be repeated.
        bytes: size of their bodies together.
        first_payload: the first body, as JSON; "" where there is nothing to send. Holds personal data.
    """

    intake: Intake
    chunks: int
    bytes: int
    first_payload: str


def make_plans(
    sources: dict[str, list[Source]],
    warehouse: Path,
    ledger: Ledger | None,
    on_progress: Progress | None = None,
) -> dict[str, Plan]:
    """Plan the datasets in the order of PUSHED; works in a temporary folder that is gone afterwards.

    Raises:
        UsageError: a file cannot be used as it is.
    """
    plans = {}
    with (
        storage_errors("work in", Path("the temporary folder")),
        TemporaryDirectory(prefix="trackly-") as folder,
    ):
        sends = Path(folder) / "sends.duckdb"
        for name in [name for name in PUSHED if name in sources]:
            path = Path(folder) / f"{name}.duckdb"
            coming = sends if name != "sends" and "sends" in sources else None
            plans[name] = _plan(path, name, sources[name], warehouse, ledger, coming, on_progress)
    return plans


def _plan(
    path: Path,
    name: str,
    sources: Sequence[Source],
    warehouse: Path,
    ledger: Ledger | None,
    coming: Path | None,
    on_progress: Progress | None,
) -> Plan:
    dataset = PUSHED[name]
    with building(path, dataset, sources, warehouse) as connection:
        validate(connection, dataset, warehouse, on_progress)
    with opened(path) as connection:
        rows_in, held, _ = hold_against(connection, name, ledger, coming)
        intake = describe(connection, dataset, sources, rows_in, held)
        contacts.load(connection, None)
        number, size, first = 0, 0, ""
        for chunk in chunks(to_send(connection, name)):
            first = first or chunk.body().decode()
            number += 1
            size += chunk.size
    return Plan(intake, number, size, first)
