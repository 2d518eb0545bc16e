"""The plan that `push --dry-run` shows: what a push would do now. Ledger and network are not touched.

What does not belong here: the push itself (`run`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.privacy import Privacy
from pipelines.push.audit.archive.rows import all_archived
from pipelines.push.checks.compare import SendsStage, compare
from pipelines.push.checks.compared import Period
from pipelines.push.checks.revenue.same_rows import Decision
from pipelines.push.checks.validate import unchecked
from pipelines.push.files.find import Source
from pipelines.push.findings.files import FoundFile, found_files
from pipelines.push.intake.dataset import judged
from pipelines.push.intake.datasets import refuse_unusable
from pipelines.push.intake.found import Intake, found_in
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.send.planned_calls import count_calls, measured_seconds
from pipelines.push.stage.database import Progress, count, opened, stage_path
from pipelines.settings import Settings
from pipelines.storage import work_folder
from schemas.columns import Dataset
from schemas.registry import PUSHED
from schemas.values.outcomes import LEFT_OUT

_CALL_SECONDS = 1.0
"""Assumed seconds of a call of 1,000 records, until one was made."""


EXAMPLES = 3
"""Rows that are shown for each reason and file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push of one dataset would do.

    Attributes:
        intake: what was found in the files; sends that are ready count as accepted.
        chunks: requests of the push, if none has to be repeated.
        bytes: size of their bodies together.
        first_payload: the first body, as JSON; "" if nothing would be sent. It holds personal data.
        seconds: expected time of the requests, from `call_seconds` and the requests under way at the same time.
        call_seconds: average of earlier calls of the dataset if `measured`, else an assumption.
        measured: whether there were earlier calls.
        files: each file, how it was read, and the outcomes of its rows.
        differing: rows in the account whose file now has other content, not acknowledged.
        acknowledged: such rows that a person has acknowledged.
        unchecked: fields that could not be looked up, because lists or offers were never pulled.
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

    @property
    def left_out(self) -> int:
        """Rows that this push would leave out, or an earlier push did."""
        return sum(file.outcomes.get(outcome, 0) for file in self.files for outcome in LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Showing:
    """Which rows a plan is about, and how much it shows of rows that are held back.

    Attributes:
        examples: rows shown for each reason and file; None for all.
        masked: whether only the form of their values is shown.
        between: plan a push of this period alone; None for all of the input.
    """

    examples: int | None = EXAMPLES
    masked: bool = True
    between: Period | None = None


@dataclass(frozen=True, slots=True)
class Planning:
    """The inputs of a plan.

    Attributes:
        settings: the place of all files.
        ledger: None if there is no ledger yet.
        on_progress: called after every batch.
        decision: about revenue that may be in the account twice.
        showing: which rows, and how much of those that are held back.
    """

    settings: Settings
    ledger: Ledger | None
    on_progress: Progress | None
    decision: Decision | None
    showing: Showing


def make_plans(planning: Planning, sources: Mapping[str, Sequence[Source]]) -> dict[str, Plan]:
    """Plan the datasets in the order of PUSHED, in a temporary folder of the data directory.

    Raises:
        UsageError: a file cannot be used as it is; all such files are named.
    """
    plans = {}
    with work_folder(planning.settings.data_dir) as folder:
        sends = folder / "sends.duckdb"
        names = [name for name in PUSHED if name in sources]
        for done, name in enumerate(names, start=1):
            coming = "sends" in sources
            path = sends if coming else stage_path(planning.settings, "sends")
            its_sends = SendsStage(path, coming, planning.showing.between)
            try:
                plans[name] = _plan(
                    planning, folder / f"{name}.duckdb", PUSHED[name], sources[name], its_sends
                )
            except UsageError as error:
                refuse_unusable(planning.settings, {later: sources[later] for later in names[done:]}, error)
    return plans


def _plan(
    planning: Planning, path: Path, dataset: Dataset, sources: Sequence[Source], sends: SendsStage
) -> Plan:
    settings, ledger, showing = planning.settings, planning.ledger, planning.showing
    with judged(settings, path, dataset, sources, planning.on_progress):
        pass  # the stage is read below with less memory
    with opened(path, Privacy.of(settings)) as connection:
        with all_archived(settings, dataset.name) as archive:
            compared = compare(connection, dataset.name, ledger, sends, planning.decision, archive)
        connection.begin()
        if showing.between:
            compared = compared.without_others(showing.between)
        intake = found_in(compared, dataset, sources)
        files = found_files(connection, dataset, showing.examples, masked=showing.masked)
        acknowledged = count(connection, "SELECT count(*) FROM differing WHERE acknowledged")
        calls = count_calls(compared)
        connection.rollback()  # clicks and revenue refer to sends of other months too
    measured = measured_seconds(ledger, dataset.name)
    each = _CALL_SECONDS if measured is None else measured
    return Plan(
        intake=intake,
        chunks=calls.number,
        bytes=calls.bytes,
        first_payload=calls.first,
        seconds=calls.number * each / min(settings.concurrency, calls.number or 1),
        call_seconds=each,
        measured=measured is not None,
        files=files,
        differing=compared.changes.differs,
        acknowledged=acknowledged,
        unchecked=unchecked(dataset, settings.warehouse),
    )
