"""The plan that `push --dry-run` shows: what a push would do now, without a trace on the ledger or the network.

What does not belong here: doing it (`run`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipelines.privacy import Privacy
from pipelines.push.checks.compare import hold_against
from pipelines.push.checks.same_rows import Decision
from pipelines.push.checks.validate import unchecked, validate
from pipelines.push.file_findings import FoundFile, found_files
from pipelines.push.files.find import Source
from pipelines.push.intake import Intake, describe
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.revenue import totals
from pipelines.push.send.call_sizes import Sizes
from pipelines.push.send.chunks import chunks
from pipelines.push.send.queries import to_send
from pipelines.push.stage.database import Progress, building, count, opened
from pipelines.push.stage.query_cage import Bounds
from pipelines.settings import Settings
from pipelines.storage import work_folder
from schemas.registry import PUSHED

_CALL_SECONDS = 1.0
"""What a call of 1,000 records is taken to last as long as none was made."""


EXAMPLES = 3
"""Rows that are shown of each reason and file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push of one dataset would do.

    Attributes:
        intake: what becomes of each row, sends that are ready counted as if they were accepted.
        chunks: requests it would take, if none has to be repeated.
        bytes: size of their bodies together.
        first_payload: the first body, as JSON; "" where there is nothing to send. Holds personal data.
        seconds: how long the requests may take, at `call_seconds` each and as many at once as is set.
        call_seconds: of earlier calls of the dataset, where `measured`; else an assumption.
        measured: whether there were such calls.
        files: each file, how it was read, and what becomes of its rows.
        differing: rows that are in the account and say something else by now.
        acknowledged: how many more do, and somebody has seen it.
        unchecked: fields that could not be looked up, since nothing was pulled.
    """

    intake: Intake
    chunks: int
    bytes: int
    first_payload: str
    seconds: float
    call_seconds: float
    measured: bool
    files: tuple[FoundFile, ...] = ()
    differing: int = 0
    acknowledged: int = 0
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Showing:
    """How much a plan shows of rows that are held back.

    Attributes:
        examples: so many of each reason and file; None: all.
        masked: whether only the form of their values is shown.
    """

    examples: int | None = EXAMPLES
    masked: bool = True


def make_plans(
    settings: Settings,
    sources: dict[str, list[Source]],
    ledger: Ledger | None,
    on_progress: Progress | None = None,
    decision: Decision | None = None,
    showing: Showing | None = None,
) -> dict[str, Plan]:
    """Plan the datasets in the order of PUSHED; works in a folder of the data directory that is gone afterwards.

    Raises:
        UsageError: a file cannot be used as it is.
    """
    plans = {}
    with work_folder(settings.data_dir) as folder:
        sends = folder / "sends.duckdb"
        for name in [name for name in PUSHED if name in sources]:
            path = folder / f"{name}.duckdb"
            coming = sends if name != "sends" and "sends" in sources else None
            plans[name] = _plan(
                path,
                name,
                sources[name],
                settings,
                ledger,
                coming,
                on_progress,
                decision,
                showing or Showing(),
            )
    return plans


def _plan(
    path: Path,
    name: str,
    sources: Sequence[Source],
    settings: Settings,
    ledger: Ledger | None,
    coming: Path | None,
    on_progress: Progress | None,
    decision: Decision | None,
    showing: Showing,
) -> Plan:
    dataset, warehouse = PUSHED[name], settings.warehouse
    with building(path, dataset, sources, warehouse, Bounds.of(settings)) as connection:
        hold = not settings.push_synced_revenue
        privacy = Privacy.of(settings)
        privacy.define(connection)
        validate(connection, dataset, warehouse, on_progress, hold_synced=hold)
    with opened(path) as connection:
        privacy.define(connection)
        rows_in, held, presence = hold_against(connection, name, ledger, coming, decision=decision)
        intake = describe(connection, dataset, sources, rows_in, held)
        files = found_files(connection, dataset, showing.examples, masked=showing.masked)
        acknowledged = count(connection, "SELECT count(*) FROM differing WHERE acknowledged")
        totals.load(connection, None)
        number, size, first = 0, 0, ""
        for chunk in chain.from_iterable(chunks(wave, Sizes()) for wave in to_send(connection, name)):
            first = first or chunk.body().decode()
            number += 1
            size += chunk.size
    measured = ledger.call_seconds(name) if ledger else None
    each = _CALL_SECONDS if measured is None else measured
    at_once = min(settings.concurrency, number or 1)
    return Plan(
        intake,
        number,
        size,
        first,
        number * each / at_once,
        each,
        measured is not None,
        files,
        presence.differs,
        acknowledged,
        unchecked(dataset, warehouse),
    )
