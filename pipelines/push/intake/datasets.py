"""The intake of several datasets, each in its turn and with its record.

What does not belong here: what becomes of one dataset's files (`dataset`), and which files there are (`files.find`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.files.unusable import Unusable
from pipelines.push.intake.dataset import judged, take_in
from pipelines.push.intake.found import Intake
from pipelines.push.intake.options import IntakeChoices
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.stage.database import building, count, is_current, stage_path
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.redact import holds_phones
from pipelines.run_records.failures import failure_recorded
from pipelines.runs.recording import recorded
from pipelines.settings import Settings
from pipelines.storage import work_folder
from schemas.registry import PUSHED

Files = Mapping[str, Sequence[Source]]
"""By dataset, its files."""


def is_ready(settings: Settings, name: str, sources: Sequence[Source]) -> bool:
    """Whether the stage of a dataset is of its files as they are now, and can be sent.

    Args:
        settings: where the stage and the warehouse lie, and whether phone numbers are hashed.
        name: the dataset.
        sources: its files.
    """
    path = stage_path(settings, name)
    current = is_current(path, sources, settings.warehouse, Bounds.of(settings))
    return current and (settings.hash_phones is None or holds_phones(path))


def failed_intake_recorded(
    settings: Settings, sources: Files, choices: IntakeChoices
) -> AbstractContextManager[None]:
    """An intake that fails before its first dataset has its turn is on record as failed too.

    Args:
        settings: where the records lie.
        sources: by dataset, its files.
        choices: what the caller chose.
    """
    names = [name for name in PUSHED if name in sources]
    return failure_recorded(settings.data_dir, choices.run, [f"take in {name}" for name in names])


def take_in_all(
    settings: Settings, sources: Files, ledger: Ledger, choices: IntakeChoices
) -> dict[str, Intake]:
    """Rebuild stages from their files, and put them on record.

    Args:
        settings: where the stages and the warehouse lie.
        sources: what is taken in.
        ledger: open for writing.
        choices: what the caller chose.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """
    found: dict[str, Intake] = {}

    def take(name: str) -> int:
        found[name] = take_in(settings, PUSHED[name], sources[name], ledger, choices.on_progress)
        return found[name].rows_in

    _each(settings, sources, choices, take)
    return found


def judge_all(settings: Settings, sources: Files, choices: IntakeChoices) -> None:
    """Rebuild stages from their files, and leave it to `send_all` to put each on record, when its turn has come.

    Args:
        settings: where the stages and the warehouse lie.
        sources: what is taken in.
        choices: what the caller chose.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """

    def take(name: str) -> int:
        path = stage_path(settings, name)
        with judged(settings, path, PUSHED[name], sources[name], choices.on_progress) as stage:
            return count(stage, "SELECT count(*) FROM input")

    _each(settings, sources, choices, take)


def _each(settings: Settings, sources: Files, choices: IntakeChoices, take: Callable[[str], int]) -> None:
    """Take in every dataset, in the order of PUSHED, each with its record.

    Args:
        settings: where everything lies.
        sources: by dataset, its files.
        choices: what the caller chose.
        take: takes in a dataset, by its name; returns how many rows it has.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """
    names = [name for name in PUSHED if name in sources]
    for done, name in enumerate(names, start=1):
        try:
            with recorded(settings.data_dir, choices.run, f"take in {name}") as record:
                record.rows = take(name)
        except UsageError as error:
            refuse_unusable(settings, {later: sources[later] for later in names[done:]}, error)


def refuse_unusable(settings: Settings, sources: Files, first: UsageError) -> NoReturn:
    """Raise the error of a file, together with those of the files that were not read yet.

    Args:
        settings: where the warehouse lies.
        sources: by dataset, the files that were not read; nothing becomes of their rows.
        first: the error that ended an intake.

    Raises:
        UsageError: always.
    """
    unusable = Unusable(first)
    with work_folder(settings.data_dir) as folder:
        for name, files in sources.items():
            path, bounds = folder / f"{name}.duckdb", Bounds.of(settings)
            with unusable.noted(), building(path, PUSHED[name], files, settings.warehouse, bounds):
                pass
    unusable.refuse()
    raise AssertionError  # it was noted
